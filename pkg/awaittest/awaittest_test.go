package awaittest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.com/warren/pkg/awaittest"
)

func TestReceive(t *testing.T) {
	c := make(chan int)
	go func() { c <- 1 }()
	if got := awaittest.Receive(t, c, "a number"); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
	close(c)
	if got := awaittest.Receive(t, c, "the end"); got != 0 {
		t.Errorf("got %d from a closed channel, want 0", got)
	}
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		awaittest.Until(t, "a second to pass", func() bool { return time.Since(began) >= time.Second })
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("returned after %s, want a second", took)
		}
	})
}

func TestSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		awaittest.Success(t, "the third try", func(context.Context) error {
			tries++
			if tries < 3 {
				return errors.New("too early")
			}
			return nil
		})
		if tries != 3 {
			t.Errorf("%d tries, want 3", tries)
		}
	})
}

// recorder is a test whose failure is recorded instead of reported.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestFailures(t *testing.T) {
	tests := map[string]struct {
		wait func(testing.TB)
		want string
	}{
		"Receive": {func(t testing.TB) { awaittest.Receive(t, make(chan int), "a number") }, "a number: not within 1m0s"},
		"Until":   {func(t testing.TB) { awaittest.Until(t, "ready", func() bool { return false }) }, "ready: not within 1m0s"},
		"Success": {func(t testing.TB) {
			awaittest.Success(t, "ready", func(context.Context) error { return errors.New("no broker") })
		}, "ready: not within 1m0s: no broker"},
		"Success, interrupted": {func(t testing.TB) {
			err := errors.New("no broker")
			awaittest.Success(t, "ready", func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(50 * time.Second):
					return err
				}
			})
		}, "ready: not within 1m0s: no broker"},
		"Success, hanging": {func(t testing.TB) {
			awaittest.Success(t, "ready", func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
		}, "ready: not within 1m0s: context deadline exceeded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{TB: t}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					test.wait(r)
				}()
				<-ended
				if r.failure != test.want {
					t.Errorf("failed with %q, want %q", r.failure, test.want)
				}
			})
		})
	}
}

func TestWithin(t *testing.T) {
	tests := map[string]struct{ took, late time.Duration }{
		"early": {time.Second, 0},
		"late":  {5 * time.Second, 3 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deadline := awaittest.Within(2 * time.Second)
				<-time.After(test.took)
				if late := deadline.Late(); late != test.late {
					t.Errorf("late by %s, want %s", late, test.late)
				}
			})
		})
	}
}
