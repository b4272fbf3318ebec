package service

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/fx"
)

// Fail ends the service with an error. Goroutines that cannot continue call it, such as one whose listener broke. The
// service stops in order, and Run returns the error. Only the first call counts, and only before the stop has begun.
type Fail func(error)

// ending is the cause of a context that the service itself cancelled. err is nil after an fx shutdown.
type ending struct{ err error }

func (e ending) Error() string { return fmt.Sprintf("the service ended itself: %v", e.err) }
func (ending) Unwrap() error   { return context.Canceled }

// failureOf returns the error that Fail ended ctx with, or nil.
func failureOf(ctx context.Context) error {
	if e, ok := errors.AsType[ending](context.Cause(ctx)); ok {
		return e.err
	}
	return nil
}

// shutdowner replaces fx's, which signals only an app that handles the process's signals.
type shutdowner struct{ fail Fail }

// Shutdown stops the service. It refuses options, because it cannot read the exit code in them: a failure would look
// like a success.
func (s shutdowner) Shutdown(options ...fx.ShutdownOption) error {
	if len(options) > 0 {
		return errors.New("shutdown options are not supported: use service.Fail to end with an error")
	}
	s.fail(nil)
	return nil
}

// lifecycle runs hooks with the chassis's contexts instead of fx's. When fx's own context ends, fx skips the remaining
// hooks, also while it rolls back an interrupted start: databases would stay open.
type lifecycle struct {
	fx.Lifecycle
	start func(hook func(context.Context) error) error
	stop  func() context.Context
}

func (l lifecycle) Append(hook fx.Hook) {
	if start := hook.OnStart; start != nil {
		hook.OnStart = func(context.Context) error { return l.start(start) }
	}
	if stop := hook.OnStop; stop != nil {
		hook.OnStop = func(context.Context) error { return stop(l.stop()) }
	}
	l.Lifecycle.Append(hook)
}
