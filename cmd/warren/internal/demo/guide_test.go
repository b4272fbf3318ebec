package demo

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// request is a request that the guide proposes.
type request struct {
	status string
	lines  string
}

var requestPattern = regexp.MustCompile(`(?m)^  # (\d{3}): .*\n((?:  [^#\n].*\n)+)`)

func requestsOf(guide string) []request {
	var requests []request
	for _, match := range requestPattern.FindAllStringSubmatch(guide, -1) {
		requests = append(requests, request{status: match[1], lines: match[2]})
	}
	return requests
}

// tryGuide sends the guide's requests and compares the statuses with those that it promises.
func tryGuide(t *testing.T, guide string) {
	t.Helper()
	sh := newShell(t, guide)
	var statuses []string
	for _, r := range requestsOf(guide) {
		statuses = append(statuses, r.status)
		if got := sh.run(t, r.lines); got != r.status+"\n" {
			t.Errorf("got %q, want status %s on a line, from\n%s", got, r.status, r.lines)
		}
		if strings.Contains(r.lines, "/cancel") {
			if got := sh.run(t, r.lines); got != "409\n" {
				t.Errorf("got %q the second time, want status 409, from\n%s", got, r.lines)
			}
		}
	}
	if diff := cmp.Diff([]string{"401", "200", "200", "201", "422", "200", "404"}, statuses); diff != "" {
		t.Errorf("statuses of the guide (-want +got):\n%s", diff)
	}
}

// TestGuideWidth keeps the guide readable in a terminal of 80 columns.
func TestGuideWidth(t *testing.T) {
	var text strings.Builder
	g := guide{
		URL:     "http://127.0.0.1:8080",
		Session: session{Token: "x", Lifetime: 15 * time.Minute, OrderID: guide{}.UnknownID()},
		Services: []serviceGuide{
			{Name: "gateway", AdminAddr: "127.0.0.1:9090", PID: 12345},
			{Name: "access-control", AdminAddr: "127.0.0.1:9092", PID: 12346},
		},
		Node: &nodeGuide{Ctl: "rabbitmqctl", StopOrders: "kill 12347", StartOrders: "orders"},
	}
	if err := g.write(&text); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if width := len(strings.TrimRight(line, "\n")); width > 80 {
			t.Errorf("%d columns: %s", width, line)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		15 * time.Minute: "15m", time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 10 * time.Second: "10s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%s) = %s, want %s", d, got, want)
		}
	}
}
