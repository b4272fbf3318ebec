package demo

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// request is one that the guide proposes.
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

// tryGuide does what the guide proposes and compares what comes back with what it promises.
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
