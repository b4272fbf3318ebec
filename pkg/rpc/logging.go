package rpc

import (
	"context"
	"log/slog"
	"time"
)

// Logging writes a line per call, at the level: queue, status, duration and correlation id. Bodies, headers and
// identities are never logged. What made a call fail is logged by the server, not here.
func Logging(logger *slog.Logger, level slog.Level) Interceptor {
	return func(next Func) Func {
		return func(ctx context.Context, request *Request) (*Reply, error) {
			start := time.Now()
			reply, err := next(ctx, request)
			if logger.Enabled(ctx, level) {
				logCall(ctx, logger, level, request, Status(reply, err), time.Since(start))
			}
			return reply, err
		}
	}
}

// logCall is a function of its own to keep the attributes off the stack of calls that wait.
func logCall(ctx context.Context, logger *slog.Logger, level slog.Level, request *Request, status int, duration time.Duration) {
	logger.LogAttrs(ctx, level, "rpc", slog.String("queue", request.Queue), slog.Int("status", status),
		slog.Duration("duration", duration), slog.String("correlation_id", request.ID))
}
