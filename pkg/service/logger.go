package service

import (
	"io"
	"log/slog"
)

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug,
	"info":  slog.LevelInfo,
	"warn":  slog.LevelWarn,
	"error": slog.LevelError,
}

// newLogger returns the logger of a service: one line per entry, JSON or text, each with the service's name.
func newLogger(w io.Writer, name string, config *Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: levels[config.LogLevel]}
	var handler slog.Handler = slog.NewJSONHandler(w, options)
	if config.LogFormat == "text" {
		handler = slog.NewTextHandler(w, options)
	}
	return slog.New(handler).With("service", name)
}
