package demo

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/service"
)

// fakeInstance ends when it is stopped or when the test calls end.
type fakeInstance struct {
	name   string
	done   chan struct{}
	result error
	stops  *[]string // names of the stopped instances, in order
}

func (f *fakeInstance) end(err error) {
	f.result = err
	close(f.done)
}

func (f *fakeInstance) ended() <-chan struct{} { return f.done }
func (f *fakeInstance) err() error             { return f.result }
func (f *fakeInstance) pid() int               { return 0 }
func (f *fakeInstance) notice() string         { return f.name + " was stopped\n" }

func (f *fakeInstance) stop() {
	*f.stops = append(*f.stops, f.name)
	select {
	case <-f.done:
	default:
		f.end(nil)
	}
}

func fakeGroup() (*group, map[string]*fakeInstance, *[]string) {
	names := []string{"gateway", "things", "access-control"}
	g := newGroup(len(names))
	instances, stops := map[string]*fakeInstance{}, &[]string{}
	for _, name := range names {
		f := &fakeInstance{name: name, done: make(chan struct{}), stops: stops}
		instances[name] = f
		g.add(spec{service: service.Service{Name: name}, adminAddr: "127.0.0.1:1"}, f)
	}
	return g, instances, stops
}

func TestGroupStop(t *testing.T) {
	g, instances, stops := fakeGroup()
	errFailed := errors.New("failed")
	instances["things"].end(errFailed)
	if err := g.stop(); !errors.Is(err, errFailed) {
		t.Errorf("stop = %v, want %v", err, errFailed)
	}
	if diff := cmp.Diff([]string{"gateway", "things", "access-control"}, *stops); diff != "" {
		t.Errorf("stops (-want +got):\n%s", diff)
	}
}

func TestGroupWait(t *testing.T) {
	t.Run("a service fails", func(t *testing.T) {
		g, instances, _ := fakeGroup()
		instances["things"].end(errors.New("failed"))
		g.wait(t.Context(), newOutput()) // returns
		_ = g.stop()
	})
	t.Run("the user stops a service", func(t *testing.T) {
		g, instances, _ := fakeGroup()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out, returned := newOutput(), make(chan struct{})
		go func() {
			defer close(returned)
			g.wait(ctx, out)
		}()
		instances["things"].end(nil)
		out.await(t, "things was stopped", returned)
		select {
		case <-returned:
			t.Error("wait returned while the demo should go on")
		default:
		}
		cancel()
		<-returned
		if err := g.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestGroupAwaitReady(t *testing.T) {
	g, instances, _ := fakeGroup()
	instances["gateway"].end(nil)
	err := g.awaitReady(t.Context())
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "gateway") {
		t.Errorf("error = %v, want %v of gateway", err, errEnded)
	}
	_ = g.stop()
}
