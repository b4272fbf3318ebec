package rpc

import (
	"context"
	"log/slog"
	"time"
)

// Logging logs a line per call: queue, status, duration and correlation ID. It never logs bodies, headers and identities. The
// server logs what made a call fail.
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

// logCall is apart from Logging to keep the attributes off the stacks of calls that wait.
func logCall(ctx context.Context, logger *slog.Logger, level slog.Level, request *Request, status int, duration time.Duration) {
	logger.LogAttrs(ctx, level, "rpc", slog.String("queue", request.Queue), slog.Int("status", status),
		slog.Duration("duration", duration), slog.String("correlation_id", request.CorrelationID))
}
