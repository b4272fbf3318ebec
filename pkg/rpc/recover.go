package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Recover turns a panic into status 500 and a log entry with its stack. Every server has it, innermost, so that the
// other interceptors see an error.
func Recover(logger *slog.Logger) Interceptor {
	return func(next Func) Func {
		return func(ctx context.Context, request *Request) (reply *Reply, err error) {
			defer func() {
				if value := recover(); value != nil {
					logger.ErrorContext(ctx, "handler panicked", "queue", request.Queue, "correlation_id", request.ID,
						"panic", fmt.Sprint(value), "stack", string(debug.Stack()))
					reply, err = nil, internalError
				}
			}()
			return next(ctx, request)
		}
	}
}
