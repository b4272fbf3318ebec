package service

import (
	"io"
	"log/slog"
)

// newLogger returns the logger of a service: one line per entry, JSON or text, each with the service's name.
func newLogger(w io.Writer, name string, config *Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(config.LogLevel)) // the value is validated
	var handler slog.Handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: inSeconds})
	if config.LogFormat == "text" {
		handler = slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	}
	return slog.New(handler).With("service", name)
}

// inSeconds writes durations in seconds, as the metrics do. JSON would have nanoseconds.
func inSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key, a.Value.Duration().Seconds())
	}
	return a
}
