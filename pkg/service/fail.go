package service

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/fx"
)

// Fail ends the service with an error. It is for goroutines that can't go on, such as a listener that broke: the
// service is stopped in order, and Run returns the error. The first call counts, unless the stop has begun already.
type Fail func(error)

// ending is the cause of a context that the service itself ended; err is nil if nothing is wrong.
type ending struct{ err error }

func (e ending) Error() string { return fmt.Sprintf("the service ended itself: %v", e.err) }

// failureOf returns the error that Fail ended ctx with, or nil.
func failureOf(ctx context.Context) error {
	if e, ok := errors.AsType[ending](context.Cause(ctx)); ok {
		return e.err
	}
	return nil
}

// shutdowner stands in for fx's own, which can only signal an app that handles the process's signals.
type shutdowner struct{ fail Fail }

// Shutdown stops the service. The options of fx can't be read here, and an exit code that is lost would make a failure
// look like a success.
func (s shutdowner) Shutdown(options ...fx.ShutdownOption) error {
	if len(options) > 0 {
		return errors.New("shutdown options are not supported: use service.Fail to end with an error")
	}
	s.fail(nil)
	return nil
}
