package service

import (
	"context"

	"go.uber.org/fx"
)

// lifecycle gives hooks the chassis's contexts in place of fx's. fx leaves out the hooks that remain once its own
// context has ended, also when it rolls back a start that was interrupted: databases would stay open.
type lifecycle struct {
	fx.Lifecycle
	start context.Context
	stop  func() context.Context
}

func (l lifecycle) Append(hook fx.Hook) {
	if start := hook.OnStart; start != nil {
		hook.OnStart = func(context.Context) error { return start(l.start) }
	}
	if stop := hook.OnStop; stop != nil {
		hook.OnStop = func(context.Context) error { return stop(l.stop()) }
	}
	l.Lifecycle.Append(hook)
}
