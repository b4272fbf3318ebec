package chaos

import (
	"testing"
	"time"
)

// outage is the time during which a fault keeps the system from working.
type outage struct{ from, to time.Time }

// recovery returns how long callers noticed a fault: from the end of its outage, from, to the first success that shows that
// the fault is over. It considers the calls that ended between from and to, the start of the next outage. It returns false if
// the fault was not over by then.
//
// The failures of a fault are the calls that failed in that time. The fault is over with the first success of a call that
// began after all of them, because that call met a working system. A failure counts from its beginning, not from its end: a
// call that was in flight during the fault fails at its time limit, long after others succeed again. A success counts from
// its end: a fault that delays calls instead of failing them lasts as long as the shortest of them waited. Load.outage keeps
// faults so far apart that no call is in flight during two of them.
func recovery(calls []call, from, to time.Time) (time.Duration, bool) {
	lastFailure := from
	for _, c := range calls {
		if c.outcome != answered && !c.ended.Before(from) && c.ended.Before(to) && c.began.After(lastFailure) {
			lastFailure = c.began
		}
	}
	first, found := to, false
	for _, c := range calls {
		if c.outcome == answered && c.began.After(lastFailure) && c.ended.Before(first) {
			first, found = c.ended, true
		}
	}
	return first.Sub(from), found
}

func TestRecovery(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	a := func(began, ended int) call { return call{began: at(began), ended: at(ended)} }
	f := func(began, ended int) call { return call{began: at(began), ended: at(ended), outcome: failed} }
	tests := map[string]struct {
		calls []call
		want  int // milliseconds after the fault at 1000; 0 if it is not over
	}{
		"nothing failed":                      {[]call{a(990, 1001), a(1005, 1010), a(1020, 1025)}, 10},
		"calls waited":                        {[]call{a(1005, 1500), a(1100, 1400)}, 400},
		"failed at once":                      {[]call{f(1005, 1006), f(1100, 1101), a(1200, 1205)}, 205},
		"a call in flight fails at its limit": {[]call{f(999, 3000), a(1100, 1105), a(3001, 3002)}, 105},
		"a later call fails at its limit":     {[]call{a(1001, 1002), f(1050, 3050), a(1100, 1105)}, 105},
		"one lost":                            {[]call{a(1001, 1002), {began: at(1050), ended: at(3050), outcome: lost}, a(1100, 1105)}, 105},
		"failure of the fault before":         {[]call{f(980, 990), a(1010, 1011)}, 11},
		"failure of the fault after":          {[]call{a(1010, 1011), f(9990, 10100)}, 11},
		"over only after the next fault":      {[]call{f(1005, 1006), a(10100, 10101)}, 0},
		"never over":                          {[]call{a(1005, 1006), f(1007, 1008)}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := recovery(test.calls, at(1000), at(10000))
			if want := time.Duration(test.want) * time.Millisecond; ok != (want > 0) || ok && got != want {
				t.Errorf("got %s, %t, want %s", got, ok, want)
			}
		})
	}
}
