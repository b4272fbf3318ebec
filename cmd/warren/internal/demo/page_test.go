package demo

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/browsertest"
	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/services/gateway"
)

// TestPage uses the console's page as a user does, in a browser.
func TestPage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := start(ctx, Command{Broker: "inmem", Addr: "127.0.0.1:0", Console: "127.0.0.1:0", LogLevel: "debug"})
	guide := r.out.await(t, "All services run in this process", r.ended)
	tryGuide(t, guide)
	t.Run("browser", func(t *testing.T) { // ends before the console does
		p := browsertest.Start(t).Open(t, consoleURL(t, guide), browsertest.Screen{Width: 960, Height: 560})
		p.AwaitText(".requests .what", "POST /v1/login") // the demo's own
		tryRoutes(t, p)
		p.AwaitText(".logs td", "gateway")
		for _, view := range []string{"requests", "map", "queues"} {
			p.Go("#/" + view)
			p.AwaitText("main", "access-control")
			p.Point("h1")
			p.Press(kb.Escape) // no row has the focus
			p.Screenshot("console-" + view)
		}
	})
	cancel()
	if err := r.await(t); err != nil {
		t.Error(err)
	}
}

// tryRoutes logs in, gets what the first service lists, and opens the trace of that.
func tryRoutes(t *testing.T, p *browsertest.Page) {
	t.Helper()
	send := func(route string) {
		p.Go("#/map") // leaves the response before
		p.AwaitText("h1", "Map")
		p.Click("nav a[href='#/try']")
		p.Choose("#route", route)
		p.Click(".try .primary")
		p.AwaitText(".result h2", "200")
	}
	send("POST /v1/login")
	p.AwaitText(".result pre", "access_token")
	path, queue := listRoute()
	if path == "" {
		p.Click(".result a[href^='#/trace/']")
		return
	}
	send("GET " + path) // has the token checked, which the gateway remembers
	send("GET " + path)
	p.AwaitText(".result .waterfall", queue)
	p.Screenshot("console-try")
	p.Click(".result a[href^='#/trace/']")
	p.Await("document.querySelectorAll('.waterfall .span').length === 4") // one more, of the database
	p.Point("h1")
	p.Screenshot("console-trace")
	service, _, _ := strings.Cut(queue, ".")
	if diff := cmp.Diff([]string{"gateway", "gateway", service, service}, p.Texts(".waterfall .service")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"GET " + path, "call " + queue, queue}, p.Texts(".waterfall .name")[:3]); diff != "" {
		t.Error(diff)
	}
	p.Click(".waterfall li:nth-child(3) .span")
	p.AwaitText(".details caption", "Message, as it was on the wire")
}

// listRoute returns the path and the queue of the first example that gets something without parameters. They are empty if no
// service has one.
func listRoute() (path, queue string) {
	for _, s := range services.All() {
		example, _ := (&spec{service: s}).get()
		for _, r := range gateway.Routes() {
			if r.Method == http.MethodGet && r.Path == "/v1"+example.Path {
				return r.Path, r.Queue
			}
		}
	}
	return "", ""
}

// tryDeadLetter replays a message that a service can't read, so that it becomes a dead letter once more.
func tryDeadLetter(t *testing.T, p *browsertest.Page, brokerURL string) {
	t.Helper()
	broker, err := rabbitmq.New(rabbitmq.Options{URLs: []string{brokerURL}, Name: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close(awaittest.Context(t))
	queue := "" // of a method that keeps dead letters; that of the login does not
	for _, r := range gateway.Routes() {
		if r.RequireToken {
			queue = r.Queue
			break
		}
	}
	broken := messaging.Message{ID: "broken", Headers: map[string]any{"rpc-request": "%zz"}}
	awaittest.Success(t, "publish a message", func(ctx context.Context) error { return broker.Publish(ctx, queue, broken) })
	p.Go("#/queues")
	p.AwaitText("tr.alarm", queue+".dead")
	p.Click("tr.alarm a")
	p.Click(".letters summary")
	p.AwaitText(".letters td", "%zz")
	p.Screenshot("console-dead")
	p.Click(".letters input")
	p.Click("main .toolbar button")
	p.Click("dialog .primary")
	p.AwaitText(".done", "1 message replayed.")
}

// wantDown waits until the map shows that the service behind listRoute is down, if there is one.
func wantDown(p *browsertest.Page) {
	_, queue := listRoute()
	if queue == "" {
		return
	}
	service, _, _ := strings.Cut(queue, ".")
	p.Go("#/map")
	p.AwaitText(".card.down", service)
	p.AwaitText(".alarms", queue)
	p.Screenshot("console-down")
}
