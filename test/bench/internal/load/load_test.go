package load

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		call := func(context.Context) error {
			calls++
			latency := time.Millisecond
			if calls%50 == 0 {
				latency = 51 * time.Millisecond
			}
			<-time.After(latency)
			if calls%100 == 99 {
				return errors.New("wrong reply")
			}
			return nil
		}
		began, started := time.Now(), time.Duration(0)
		got := Run(t.Context(), Options{Callers: 1, WarmUp: 200 * time.Millisecond, Duration: time.Second}, call,
			func() { started = time.Since(began) })
		// 50 calls take 100 ms. The call that ends when the measured time begins counts, the one that ends with it does not.
		want := Result{
			Requests: 495, Errors: 5, Duration: time.Second,
			P50: time.Millisecond, P99: 51 * time.Millisecond, Error: "wrong reply",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if started != 200*time.Millisecond {
			t.Errorf("started after %s, want the warm-up of 200ms", started)
		}
	})
}

func TestRunWithoutReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		got := Run(t.Context(), Options{Callers: 3, Duration: time.Second}, call, func() {})
		want := Result{Errors: 3, Duration: time.Second, Error: context.DeadlineExceeded.Error()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestReadReport(t *testing.T) {
	started := 0
	got, err := ReadReport(strings.NewReader("started\n{\"requests\":7,\"p50_ns\":1000}\n"), func() { started++ })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Requests: 7, P50: time.Microsecond}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if started != 1 {
		t.Errorf("started %d times", started)
	}
}

func TestReadReportTruncated(t *testing.T) {
	for _, text := range []string{"", "started\n", "started\n{\n"} {
		if got, err := ReadReport(strings.NewReader(text), func() {}); err == nil {
			t.Errorf("ReadReport(%q) = %+v without an error", text, got)
		}
	}
}

func TestPending(t *testing.T) {
	var p Pending
	reply := p.Add("1")
	if err := p.Receive("1", 7); err != nil {
		t.Fatal(err)
	}
	if err := Await(t.Context(), reply, 7); err != nil {
		t.Error(err)
	}
	if err := p.Receive("1", 7); err == nil {
		t.Error("no error for a second reply")
	}
	reply = p.Add("2")
	if err := p.Receive("2", 8); err != nil {
		t.Fatal(err)
	}
	if err := Await(t.Context(), reply, 7); !errors.Is(err, errWrongSize) {
		t.Errorf("got %v, want errWrongSize", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Await(ctx, p.Add("3"), 7); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
