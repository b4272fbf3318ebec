package console_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/browsertest"
)

func TestWeb(t *testing.T) {
	testInBrowser(t, []browserTest{
		{"says what to do when there is nothing to show", testEmpty},
		{"shows errors", testErrors},
		{"shows markup as text", testMarkup},
		{"obeys the keyboard", testKeyboard},
		{"lists requests as they arrive", testLive},
		{"filters requests", testFilters},
		{"shows a trace", testTrace},
		{"shows a service that is down", testDown},
		{"replays and drops dead letters", testDead},
		{"sends requests", testTry},
		{"gives a service the same colour everywhere", testColours},
	})
}

func TestLongWeb(t *testing.T) {
	testInBrowser(t, []browserTest{
		{"is readable on each screen", testScreens},
		{"stays small under load", testLoad},
	})
}

type browserTest struct {
	name string
	run  func(*testing.T, *browsertest.Browser)
}

func testInBrowser(t *testing.T, tests []browserTest) {
	t.Helper()
	browser := browsertest.Start(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, browser) })
	}
}

// views are the fragments of the page's address, each with a selector that matches when the view is complete.
var views = []struct{ name, fragment, complete string }{
	{"requests", "#/requests", ".requests .row"},
	{"trace", "#/trace/" + traceID, ".waterfall .span"},
	{"map", "#/map", ".map .card"},
	{"queues", "#/queues", ".queues td"},
	{"dead", "#/dead/parcels.cancel.dead", ".letters summary"},
	{"try", "#/try", ".try .fields label"},
}

func testScreens(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	f.replace(mapPath, `"consumers": 1`, `"consumers": 0`)
	for name, screen := range map[string]browsertest.Screen{
		"light":       browsertest.Desktop,
		"dark":        {Width: browsertest.Desktop.Width, Height: browsertest.Desktop.Height, Dark: true},
		"narrow":      {Width: 400, Height: 800},
		"narrow-dark": {Width: 400, Height: 800, Dark: true},
	} {
		p := browser.Open(t, f.URL, screen)
		for _, view := range views {
			p.Go(view.fragment)
			p.Await("document.querySelector('" + view.complete + "') !== null")
			switch view.name {
			case "trace":
				p.Click(".waterfall li:nth-child(3) .span")
			case "dead":
				p.Click(".letters summary")
			case "try":
				p.Choose("#route", "GET /v1/parcels")
				p.Click(".try .primary")
				p.Await("document.querySelector('.result .waterfall') !== null")
			}
			p.Screenshot(view.name + "-" + name)
			for _, problem := range browsertest.Eval[[]string](p, unreadable) {
				t.Errorf("%s, %s: %s", view.name, name, problem)
			}
		}
	}
}

// unreadable finds texts whose contrast is less than that of WCAG AA, a page that is wider than its window, and controls
// without a name.
const unreadable = `{
	const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
	const luminance = (rgb) => rgb.slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
		.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const background = (element) => {
		for (; element; element = element.parentElement) {
			const rgba = channels(getComputedStyle(element).backgroundColor);
			if (rgba.length === 3 || rgba[3] === 1) return rgba;
		}
		return [255, 255, 255];
	};
	const problems = [];
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const element = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest(":disabled, .skip, noscript, option")) continue;
		const [a, b] = [luminance(channels(getComputedStyle(element).color)), luminance(background(element))];
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (contrast < 4.5) problems.push("contrast " + contrast.toFixed(2) + " of " + texts.currentNode.data);
	}
	if (document.documentElement.scrollWidth > innerWidth) problems.push("the page is " + document.documentElement.scrollWidth + " wide");
	for (const control of document.querySelectorAll("button, input, select, textarea, a, summary")) {
		const name = control.ariaLabel || control.innerText || control.labels?.[0]?.innerText;
		if (control.checkVisibility() && !name) problems.push("no name: " + control.outerHTML);
	}
	problems;
}`

func testEmpty(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	f.set(requestsPath, object{"requests": array{}})
	f.set(mapPath, object{"window_s": 300, "services": array{}, "edges": array{}})
	f.set(queuesPath, object{"queues": array{}})
	f.set(deadPath, object{"queue": "parcels.get.dead", "messages": array{}})
	f.set(routesPath, object{"routes": array{}})
	p := browser.Open(t, f.URL, browsertest.Desktop)
	for fragment, text := range map[string]string{
		"#/requests":               "No requests yet: try one",
		"#/trace/" + correlationID: "This trace is not here",
		"#/map":                    "No calls yet",
		"#/queues":                 "No queues yet",
		"#/dead/parcels.get.dead":  "No messages here",
		"#/try":                    "no routes",
		"#/nosuch":                 "There is nothing at #/nosuch",
	} {
		p.Go(fragment)
		p.AwaitText(".empty", text)
	}
	p.Go("#/requests")
	p.AwaitText(".empty pre", "OTEL_EXPORTER_OTLP_ENDPOINT="+f.URL)
	p.Screenshot("empty")
	p.Click(".empty a")
	p.AwaitText("h1", "Try it")
	p.Go("#/requests?route=nowhere")
	p.AwaitText(".empty", "No request matches")
	f.set(requestsPath, object{"requests": requests(0, 3)})
	p.Click(".empty a")
	p.AwaitText(".requests .row", "/v1/parcels")
}

func testErrors(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	for _, path := range []string{requestsPath, tracePath, mapPath, queuesPath, deadPath, routesPath} {
		f.set(path, object{"error": "cannot reach " + path})
	}
	p := browser.Open(t, f.URL, browsertest.Desktop)
	for i, path := range []string{requestsPath, tracePath, mapPath, queuesPath, deadPath, routesPath} {
		p.Go(views[i].fragment)
		p.AwaitText(".error", "cannot reach "+path)
	}
	f.Listener.Close()
	f.CloseClientConnections()
	p.Go("#/queues")
	p.AwaitText(".error", "The console does not respond")
	p.AwaitText("#connection", "reconnecting")
}

func testMarkup(t *testing.T, browser *browsertest.Browser) {
	const markup = `<img src=x onerror="window.attacked = true"><b class=attack>'"&amp;`
	f := newFixture(t)
	kept := []string{"trace_id", "span_id", "parent_id", "key", "correlation_id"}
	f.change(func(key, text string) string {
		if slices.Contains(kept, key) {
			return text
		}
		return text + markup
	})
	p := browser.Open(t, f.URL, browsertest.Desktop)
	check := func(selectors ...string) {
		t.Helper()
		for _, selector := range selectors {
			p.AwaitText(selector, markup)
		}
		if browsertest.Eval[bool](p, "window.attacked === true || document.querySelector('main img, .attack') !== null") {
			t.Errorf("%s: markup is not shown as text", browsertest.Eval[string](p, "location.hash"))
		}
	}
	check(".requests .what", ".requests .services")
	p.Go(views[1].fragment)
	p.Click(".waterfall li:nth-child(4) .span")
	p.Click(".waterfall li:nth-child(2) .span")
	check("h1", ".waterfall .name", ".waterfall .service", ".details .error", ".details td", ".details caption", ".logs td", ".logs small")
	p.Go("#/map")
	check(".card .name", ".calls td")
	p.Go("#/queues")
	check(".queues a", ".queues td")
	p.Go("#/dead/" + strings.ReplaceAll("q"+markup, `"`, "%22"))
	p.Click(".letters summary")
	check("h1", ".letters code", ".letters .bad", ".letters small", ".letters pre", ".letters td")
	p.Go("#/try")
	p.Click(".try .primary")
	check(".try .hint", ".result pre")
	f.send("request", array{object{
		"trace_id": markup, "name": markup, "method": markup, "route": markup, "path": markup, "status": markup, "services": array{markup},
		"started": began.UnixMilli(), "duration_ms": 1, "spans": 1, "error": markup,
	}})
	p.Go("#/requests")
	check(".requests .what")
	f.set(requestsPath, object{"error": markup})
	p.Go("#/requests?status=2xx")
	check(".error")
}

func testKeyboard(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	p := browser.Open(t, f.URL, browsertest.Desktop)
	p.AwaitText(".requests .row", "/v1/parcels")
	focused := func(selector string) { t.Helper(); p.Await("document.activeElement.matches(`" + selector + "`)") }
	p.Press("/")
	focused(".filter")
	p.Press(kb.Escape, kb.ArrowDown, kb.ArrowDown, kb.ArrowDown)
	focused(".requests li:nth-child(3) a")
	p.Press(kb.ArrowUp, kb.End)
	focused(".requests li:nth-child(24) a")
	p.Press(kb.Enter)
	p.AwaitText("h1", "GET /v1/parcels")
	p.Press(kb.Tab, kb.Enter)
	p.Await("document.querySelector('.span[aria-expanded=true]') !== null")
	p.Press(kb.ArrowDown, kb.ArrowDown)
	focused(".waterfall li:nth-child(3) .span")
	p.Press(kb.Escape)
	focused(".requests li:nth-child(24) a")
	p.Press(kb.Escape)
	focused("body")
	p.Go(views[4].fragment)
	p.AwaitText("h1", "parcels.cancel.dead")
	p.Press(kb.Escape)
	p.AwaitText("h1", "Queues")
	outline := browsertest.Eval[string](p, `{
		const link = document.querySelector("nav a");
		link.focus({focusVisible: true});
		getComputedStyle(link).outlineStyle;
	}`)
	if outline != "solid" {
		t.Errorf("the focus has the outline %q", outline)
	}
}

const (
	rows     = "document.querySelectorAll('.requests li').length"
	firstRow = "document.querySelector('.requests li').key"
)

func testLive(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	p := browser.Open(t, f.URL, browsertest.Desktop)
	p.Await(rows + " === 24")
	f.send("stats", object{"per_second": 41.5, "kept_share": 1, "spans": 96, "traces": 24})
	p.AwaitText(".rate", "42/s")
	f.send("stats", object{"per_second": 10_000, "kept_share": 0.031, "spans": 96, "traces": 24})
	p.AwaitText(".rate", "10,000/s, 3.1 % kept")
	f.send("request", requests(24, 26))
	p.Await(rows + " === 26")

	p.Point(".requests li:nth-child(2)")
	p.AwaitText(".rate", "paused")
	before := browsertest.Eval[string](p, firstRow)
	f.send("request", requests(26, 29))
	p.AwaitText(".rate", "paused: pointer on the list, 3 new")
	if after := browsertest.Eval[string](p, firstRow); after != before {
		t.Error("rows moved below the pointer")
	}
	update := requests(25, 26)
	update[0].(object)["status"] = 418
	f.send("request", update)
	p.AwaitText(".requests li:first-child .status", "418")
	p.Point("h1")
	p.Await(rows + " === 29")

	p.Click(".pause")
	f.send("request", requests(29, 30))
	p.AwaitText(".rate", "paused, 1 new")
	p.Click(".pause")
	p.Await(rows + " === 30")
}

func testFilters(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	p := browser.Open(t, f.URL, browsertest.Desktop)
	p.Await(rows + " === 24")
	p.Choose("[name=status]", "5xx")
	p.Choose("[name=service]", "parcels")
	p.Type("[name=min_ms]", "100")
	p.Await("location.hash === '#/requests?status=5xx&service=parcels&min_ms=100'")
	f.send("request", requests(24, 36))
	p.Await(rows + " === 26") // of the twelve, two are slow and have failed

	p.Go("#/requests?service=never-seen")
	p.Await("document.querySelector('[name=service]').value === 'never-seen'")
	p.Type(".filter", correlationID+kb.Enter)
	p.AwaitText("h1", "GET /v1/parcels")
	p.Press(kb.Escape)
	p.Await("location.hash.startsWith('#/requests?') && location.hash.includes('service=never-seen')")
}

func testLoad(t *testing.T, browser *browsertest.Browser) {
	const batch = 50
	f := newFixture(t)
	p := browser.Open(t, f.URL, browsertest.Desktop)
	p.Await(rows + " === 24")
	load := func(first, last int) int64 {
		for n := first; n < last; n += batch {
			f.send("request", requests(n, n+batch))
		}
		p.Await(fmt.Sprintf("%s === '%032x'", firstRow, last))
		return p.Heap()
	}
	// The stream has at most 200 requests a second, however many the system has.
	warm := load(24, 2024)
	end := load(2024, 12024)
	if n := browsertest.Eval[int](p, rows); n != 200 {
		t.Errorf("the list has %d rows, want 200", n)
	}
	const most = 8 << 20
	if end > warm+most {
		t.Errorf("the page's heap grew from %d to %d bytes", warm, end)
	}
	t.Logf("heap after 2,000 requests: %d KiB, after 12,000: %d KiB", warm>>10, end>>10)
}

func testTrace(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	p := browser.Open(t, f.URL+"/#/trace/"+traceID, browsertest.Desktop)
	p.AwaitText("h1", "GET /v1/parcels")
	want := []string{"GET /v1/parcels", "call parcels.getAll", "parcels.getAll", "SELECT parcels"}
	if diff := cmp.Diff(want, p.Texts(".waterfall .name")); diff != "" {
		t.Error(diff)
	}
	// Time in the queue is drawn before the work, and with another fill.
	if !browsertest.Eval[bool](p, `{
		const [queue, work] = ["queue", "work"].map((name) => document.querySelector(".waterfall li:nth-child(3) ." + name));
		Math.abs(queue.getBoundingClientRect().right - work.getBoundingClientRect().left) < 2 &&
			getComputedStyle(queue).backgroundImage !== getComputedStyle(work).backgroundImage;
	}`) {
		t.Error("time in the queue is not drawn before the work")
	}
	p.Click(".waterfall li:nth-child(3) .span")
	p.AwaitText(".details table", "Message, as it was on the wire")
	p.AwaitText(".details td", "rpc-request, timestamp_in_ms, traceparent")
	p.Click(".waterfall li:nth-child(4) .span")
	p.AwaitText(".details .error", "database is locked")
	if logs := p.Texts(".logs tbody tr"); len(logs) != 3 || !strings.Contains(logs[1], "WARN retry the transaction error=database is locked") {
		t.Errorf("the log lines are %q", logs)
	}
	// A refusal has its status, and is no failure.
	f.replace(tracePath, `"rpc.response.status_code": 200`, `"rpc.response.status_code": "404"`)
	f.replace(tracePath, `"offset_ms": 0.4, "queue_ms": null, "status": "unset"`, `"offset_ms": 0.4, "queue_ms": null, "status": "error"`)
	// Spans that arrive later are added. What is open stays open.
	f.replace(tracePath, `"parent_id": "00000000000000a3"`, `"parent_id": "00000000000000a2"`)
	f.replace(tracePath, `"spans": [`, `"spans": [{"span_id": "b1", "parent_id": "", "name": "late", "service": "parcels", "attributes": {},
		"duration_ms": 1, "events": [], "kind": "internal", "message": "", "offset_ms": 0, "queue_ms": null, "status": "unset"},`)
	f.send("request", requests(0, 1))
	p.AwaitText(".waterfall .name", "late")
	if diff := cmp.Diff([]string{"404", "error"}, p.Texts(".waterfall .status")); diff != "" {
		t.Errorf("statuses of spans (-want +got):\n%s", diff)
	}
	if n := browsertest.Eval[int](p, "document.querySelectorAll('.span[aria-expanded=true]').length"); n != 2 {
		t.Errorf("%d spans are open, want 2", n)
	}
}

func testDown(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	p := browser.Open(t, f.URL+"/#/map", browsertest.Desktop)
	p.Await("document.querySelectorAll('.card').length === 3 && document.querySelectorAll('.map path').length === 2")
	if down := p.Texts(".card.down, .alarms li"); len(down) > 0 {
		t.Errorf("%q are down", down)
	}
	f.replace(mapPath, `"p95_ms": 5.9, "rate": 35.1, "up": true`, `"p95_ms": 5.9, "rate": 0, "up": false`)
	f.replace(mapPath, `"queue": "parcels.getAll", "consumers": 1`, `"queue": "parcels.getAll", "consumers": 0`)
	p.AwaitText(".card.down", "parcels")
	p.AwaitText(".alarms li", "parcels is down. No consumer: parcels.getAll.")
	f.replace(mapPath, `"queues_error": ""`, `"queues_error": "broker unavailable"`)
	p.AwaitText(".error", "Depths and consumers of queues are unknown: broker unavailable")
	f.replace(mapPath, `"queues_error": "broker unavailable"`, `"queues_error": ""`)
	p.Await("document.querySelector('.error').hidden")
	p.Click(".card.down")
	p.Await("location.hash === '#/requests?service=parcels'")
}

// testColours: the colour of a service follows from its name, so that it is the same whatever the page saw first.
func testColours(t *testing.T, browser *browsertest.Browser) {
	p := browser.Open(t, newFixture(t).URL, browsertest.Desktop)
	got := browsertest.Eval[[]string](p,
		`import("./dom.js").then(({ colour }) => ["orders", "access-control", "gateway", "parcels", "", "é😀"].map(colour))`)
	if diff := cmp.Diff([]string{"s4", "s6", "s0", "s1", "s0"}, got[:5]); diff != "" {
		t.Errorf("colours (-want +got):\n%s", diff)
	}
}

func testDead(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	p := browser.Open(t, f.URL+"/#/queues", browsertest.Desktop)
	p.AwaitText(".hint", "2 dead-lettered messages")
	if diff := cmp.Diff([]string{"parcels.cancel.dead"}, p.Texts("section:nth-of-type(1) td:first-child")); diff != "" {
		t.Errorf("dead-letter queues (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"gateway.rpc.response"}, p.Texts("section:nth-of-type(3) td:first-child")); diff != "" {
		t.Errorf("queues of replies (-want +got):\n%s", diff)
	}
	p.Click(".queues a")
	p.AwaitText("h1", "parcels.cancel.dead")
	p.Click(".letters summary")
	p.AwaitText(".letters pre", `"reason": "late"`)
	p.AwaitText(".toolbar", "Replay")
	p.Click(".letters li:nth-child(1) input")
	p.Click("main .toolbar button")
	p.AwaitText("dialog", "Replay 1 message?")
	p.Press(kb.Escape)
	p.Await("document.querySelector('dialog') === null")
	if body := f.lastPost(replayPath); body != nil {
		t.Errorf("a replay that was not confirmed was sent: %v", body)
	}
	p.Click("main .toolbar button")
	p.Click("dialog .primary")
	p.AwaitText(".done", "1 message replayed.")
	if diff := cmp.Diff(object{"queue": "parcels.cancel.dead", "keys": array{"k1"}}, f.lastPost(replayPath)); diff != "" {
		t.Error(diff)
	}

	p.Click(".toolbar label input")
	p.AwaitText(".toolbar .danger", "Drop 2")
	p.Click("main .toolbar .danger")
	p.AwaitText("dialog", "Drop 2 messages?")
	p.Screenshot("drop")
	f.set(dropPath, object{"error": "the message has gone"})
	p.Click("dialog .danger")
	p.AwaitText(".error", "the message has gone")
	if diff := cmp.Diff(object{"queue": "parcels.cancel.dead", "keys": array{"k1", "k2"}}, f.lastPost(dropPath)); diff != "" {
		t.Error(diff)
	}
}

func testTry(t *testing.T, browser *browsertest.Browser) {
	f := newFixture(t)
	p := browser.Open(t, f.URL+"/#/try", browsertest.Desktop)
	p.Await(`document.querySelector("#route")?.selectedOptions[0].text === "GET /v1/parcels"`) // something to see at once
	p.Type("[name=query]", "limit=2")
	p.Type("[name=headers]", "X-Test: yes")
	p.Click(".try .primary")
	p.AwaitText(".result pre", `"status": "placed"`)
	p.AwaitText(".result .waterfall", "SELECT parcels")
	want := object{"method": "GET", "path": "/v1/parcels?limit=2", "headers": object{"X-Test": "yes"}, "body": "", "as": "demo"}
	if diff := cmp.Diff(want, f.lastPost(tryPath)); diff != "" {
		t.Error(diff)
	}

	p.Choose("#route", "POST /v1/parcels")
	p.Await(`document.querySelector("[name=body]").value.includes('"sku": "book"')`)
	p.Choose("[name=as]", "no user, without a token")
	p.Click(".try .primary")
	p.Await(`!document.querySelector(".try .primary").disabled`) // the response has come
	p.AwaitText(".result pre", `"status": "placed"`)
	if got := f.lastPost(tryPath); got["as"] != "" || !strings.Contains(fmt.Sprint(got["headers"]), "application/json") {
		t.Errorf("sent %v", got)
	}

	p.Choose("#route", "GET /v1/parcels/:id") // offers the ID of the response
	p.Await(`document.querySelector("[name='param:id']").value === "0190a6d0-7c1e-7000-8000-00000000beef"`)
	f.set(tryPath, object{"error": "the gateway does not respond"})
	p.Press(kb.Enter)
	p.Click(".try .primary")
	p.AwaitText(".error", "the gateway does not respond")
	if got := f.lastPost(tryPath)["path"]; got != "/v1/parcels/0190a6d0-7c1e-7000-8000-00000000beef" {
		t.Errorf("the path is %v", got)
	}
}
