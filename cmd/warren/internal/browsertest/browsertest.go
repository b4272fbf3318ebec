// Package browsertest drives a headless Chromium in tests of web pages.
package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"example.com/warren/pkg/awaittest"
)

// screenshotsVariable names the folder for screenshots. Without it, none are written.
const screenshotsVariable = "SCREENSHOTS"

// Browser is a running Chromium.
type Browser struct{ ctx context.Context }

// Start starts Chromium, which ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(find(t)), chromedp.DisableGPU)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox does not work for root
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &Browser{ctx}
}

func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is not installed: run scripts/install-package.sh chromium")
	return ""
}

// Screen is what a page is shown on.
type Screen struct {
	Width, Height int64
	Dark          bool
}

// Desktop is a wide window in light colours.
var Desktop = Screen{Width: 1200, Height: 760}

// Page is an open page. Its methods end the test if the browser fails.
type Page struct {
	t   testing.TB
	ctx context.Context
}

// Open opens a page, which is closed with the test. The test fails if the page has logged an error by then.
func (b *Browser) Open(t testing.TB, url string, screen Screen) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	p := &Page{t: t, ctx: ctx}
	p.collectErrors()
	p.do("emulate a screen", chromedp.EmulateViewport(screen.Width, screen.Height), colours(screen.Dark))
	p.do("open "+url, chromedp.Navigate(url))
	return p
}

func colours(dark bool) chromedp.Action[chromedp.Void] {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
}

// collectErrors fails the test at its end for exceptions, and for errors that the page or the browser has logged. Responses
// with an error status are no errors of the page.
func (p *Page) collectErrors() {
	ctx, cancel := context.WithCancel(p.ctx)
	console := chromedp.Console(ctx)
	done := make(chan struct{})
	var errors []string
	go func() {
		defer close(done)
		for m, err := range console {
			if err != nil {
				return
			}
			if (m.IsException() || m.Type == "error") && m.Source != "network" {
				errors = append(errors, m.String())
			}
		}
	}()
	p.t.Cleanup(func() {
		cancel()
		<-done
		for _, text := range errors {
			p.t.Errorf("the page logged %s", text)
		}
	})
}

func (p *Page) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, awaittest.Limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v\nthe page shows:\n%s", what, err, p.shown())
	}
}

// shown returns the page's text.
func (p *Page) shown() string {
	ctx, cancel := context.WithTimeout(p.ctx, awaittest.Limit)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// Await waits until a JavaScript expression is true.
func (p *Page) Await(expression string) {
	p.t.Helper()
	p.do("await "+expression, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(0))(ctx, target)
	})
}

// AwaitText waits until the elements that match a selector show a text.
func (p *Page) AwaitText(selector, text string) {
	p.t.Helper()
	const shown = "[...document.querySelectorAll(%s)].some((element) => element.textContent.includes(%s))"
	p.Await(fmt.Sprintf(shown, quote(selector), quote(text)))
}

// Eval returns the value of a JavaScript expression, which may be a promise.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, awaittest.Limit)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// Texts returns the texts of the elements that match a selector, with single spaces.
func (p *Page) Texts(selector string) []string {
	p.t.Helper()
	const texts = `[...document.querySelectorAll(%s)].map((element) => element.innerText.replace(/\s+/g, " ").trim())`
	return Eval[[]string](p, fmt.Sprintf(texts, quote(selector)))
}

// Go shows another fragment of the page, such as #/map.
func (p *Page) Go(fragment string) {
	p.t.Helper()
	Eval[any](p, "location.hash = "+quote(fragment))
}

// Click clicks the first element that matches a CSS selector, once it is visible.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Choose chooses the option of a select element by its text.
func (p *Page) Choose(selector, text string) {
	p.t.Helper()
	const find = "[...(document.querySelector(%s)?.options ?? [])].find((option) => option.text === %s)"
	option := fmt.Sprintf(find, quote(selector), quote(text))
	p.Await(option + " !== undefined")
	Eval[any](p, fmt.Sprintf(`{
		const option = %s;
		option.selected = true;
		for (const name of ["input", "change"]) option.parentElement.dispatchEvent(new Event(name, {bubbles: true}));
	}`, option))
}

// Type types into the element that matches a CSS selector.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// Press presses keys of package kb, in the element that has the focus.
func (p *Page) Press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do("press a key", chromedp.KeyEvent(key))
	}
}

// Point moves the mouse to the middle of the first element that matches a selector.
func (p *Page) Point(selector string) {
	p.t.Helper()
	at := Eval[[]float64](p, fmt.Sprintf(`{
		const box = document.querySelector(%s).getBoundingClientRect();
		[box.x + box.width / 2, box.y + box.height / 2];
	}`, quote(selector)))
	p.do("point at "+selector, chromedp.MouseEvent("mouseMoved", at[0], at[1]))
}

// Heap returns how many bytes of the page's JavaScript heap are in use, after a collection of garbage.
func (p *Page) Heap() int64 {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, awaittest.Limit)
	defer cancel()
	_, err := chromedp.Call(ctx, heapprofiler.CollectGarbage, cdp.Empty{})
	if err != nil {
		p.t.Fatalf("collect garbage: %v", err)
	}
	usage, err := chromedp.Call(ctx, runtime.GetHeapUsage, cdp.Empty{})
	if err != nil {
		p.t.Fatalf("read the heap's size: %v", err)
	}
	return int64(usage.UsedSize)
}

// Screenshot writes what the page shows to name.png in the folder that the variable SCREENSHOTS names.
func (p *Page) Screenshot(name string) {
	p.t.Helper()
	folder := os.Getenv(screenshotsVariable)
	if folder == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, awaittest.Limit)
	defer cancel()
	image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(folder, 0o750) //nolint:gosec // who runs the test chooses the folder
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), image, 0o600) //nolint:gosec // as above
	}
	if err != nil {
		p.t.Fatalf("screenshot %s: %v", name, err)
	}
}

// quote returns a JavaScript string.
func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string can be encoded
	return string(quoted)
}
