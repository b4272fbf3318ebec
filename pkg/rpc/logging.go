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
			if !logger.Enabled(ctx, level) {
				return reply, err
			}
			logger.LogAttrs(ctx, level, "rpc", slog.String("queue", request.Queue), slog.Int("status", Status(reply, err)),
				slog.Duration("duration", time.Since(start)), slog.String("correlation_id", request.ID))
			return reply, err
		}
	}
}
