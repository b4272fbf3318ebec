package demo

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/service"
)

// request is a request that the guide proposes.
type request struct {
	status, shows string
	lines         string
}

var requestPattern = regexp.MustCompile(`(?m)^  # (\d{3}): (.*)\n((?:  [^#\n].*\n)+)`)

func requestsOf(guide string) []request {
	var requests []request
	for _, match := range requestPattern.FindAllStringSubmatch(guide, -1) {
		requests = append(requests, request{status: match[1], shows: match[2], lines: match[3]})
	}
	return requests
}

var repeatedPattern = regexp.MustCompile(`repeated, (\d{3})`)

// tryGuide sends the guide's requests and compares the statuses with those that it promises.
func tryGuide(t *testing.T, guide string) {
	t.Helper()
	sh, requests := newShell(t, guide), requestsOf(guide)
	for _, r := range requests {
		statuses := []string{r.status}
		if again := repeatedPattern.FindStringSubmatch(r.shows); again != nil {
			statuses = append(statuses, again[1])
		}
		for _, want := range statuses {
			if got := sh.run(t, r.lines); got != want+"\n" {
				t.Errorf("got %q, want status %s on a line, from\n%s", got, want, r.lines)
			}
		}
	}
	want := 0
	for _, service := range services.All() {
		want += len(service.Examples)
	}
	if len(requests) != want || want == 0 {
		t.Errorf("%d requests in the guide, want %d", len(requests), want)
	}
}

// things is a service whose examples have all that an example may have.
var things = spec{service: service.Service{Name: "things", Examples: []service.Example{
	{Shows: "a sample", Status: 200, Method: http.MethodPost, Path: "/samples", Anonymous: true},
	{Shows: "the things", Status: 200, Method: http.MethodGet, Path: "/things?limit=5"},
	{
		Shows: "a new thing", Status: 201, Method: http.MethodPost, Path: "/things", Body: `{"name":"one","parts":["two","three","four"]}`,
		Headers: []string{"Idempotency-Key: first", "Accept: */*"},
	},
	{
		Shows: "a part is gone; repeated, 404", Status: 204,
		Method: http.MethodDelete, Path: "/things/0190a6d0-0000-7000-8000-000000000105/part",
	},
}}}

func TestCurlCommand(t *testing.T) {
	want := []string{
		`curl -iw '\n' -X POST $URL/samples`,
		`curl -iw '\n' $URL'/things?limit=5' -H "Authorization: Bearer $TOKEN"`,
		`curl -iw '\n' $URL/things -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -H 'Idempotency-Key: first' \
    -H 'Accept: */*' -d '{"name":"one","parts":["two","three","four"]}'`,
		`curl -iw '\n' -X DELETE \
    $URL/things/0190a6d0-0000-7000-8000-000000000105/part \
    -H "Authorization: Bearer $TOKEN"`,
	}
	var got []string
	for _, e := range things.service.Examples {
		got = append(got, curlCommand(e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

// TestExampleToStop: the guide stops a service only if a GET shows that it is away.
func TestExampleToStop(t *testing.T) {
	if e, ok := things.get(); !ok || e.Shows != "the things" {
		t.Errorf("got %+v, want the things", e)
	}
	if e, ok := new(spec).get(); ok {
		t.Errorf("got %+v of a service without examples", e)
	}
}

// TestGuideText also keeps the guide readable in a terminal of 80 columns.
func TestGuideText(t *testing.T) {
	get, _ := things.get()
	for name, node := range map[string]*nodeGuide{
		"one process": nil,
		"processes": {
			Ctl: "rabbitmqctl", BrokerURL: "amqp://", Call: "warren call", Service: "things", Get: get, Stop: "kill 12347", Start: "env things",
		},
		"none to stop": {Ctl: "rabbitmqctl", BrokerURL: "amqp://", Call: "warren call"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			g := guide{
				Console: "http://127.0.0.1:8090",
				URL:     "http://127.0.0.1:8080",
				Session: session{Token: "x", Lifetime: 15 * time.Minute},
				Services: []serviceGuide{
					{Name: "gateway", AdminAddr: "127.0.0.1:9090", PID: 999},
					{Name: "access-control", AdminAddr: "127.0.0.1:9092", PID: 12346},
					{Name: "things", AdminAddr: "127.0.0.1:9092", PID: 12347, Examples: things.service.Examples},
				},
				Node: node,
			}
			if err := g.write(&out); err != nil {
				t.Fatal(err)
			}
			text := out.String()
			for line := range strings.Lines(text) {
				if width := len(strings.TrimRight(line, "\n")); width > 80 {
					t.Errorf("%d columns: %s", width, line)
				}
			}
			const examples = "Then try:\n\n  # 200: a sample\n  curl -iw '\\n' -X POST $URL/samples\n  # 200: the things\n"
			const aligned = "\n  gateway         pid 999    http://127.0.0.1:9090/readyz and /metrics\n  access-control  pid 12346  http"
			const stop = "  # stop things, call it, and start it again within 5s: the call waits\n  kill 12347\n" +
				"  curl -iw '\\n' $URL'/things?limit=5' -H \"Authorization: Bearer $TOKEN\" &\n  env things\n"
			for part, want := range map[string]bool{
				"\nOpen the console in a browser: http://127.0.0.1:8090\n": true,
				examples: true, aligned: true, "valid for 15 minutes:": true,
				stop: name == "processes", "# stop": name == "processes", "# list the queues": node != nil, "\n  warren call\n": node != nil,
			} {
				if strings.Contains(text, part) != want {
					t.Errorf("want %t: %q in:\n%s", want, part, text)
				}
			}
		})
	}
}
