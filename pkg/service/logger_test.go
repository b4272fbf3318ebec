package service

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestLogger(t *testing.T) {
	tests := map[string]struct {
		format string
		want   []string
	}{
		"json": {"json", []string{`"service":"orders"`, `"took":1.5`, `"level":"INFO"`}},
		"text": {"text", []string{"service=orders", "took=1.5s", "level=INFO"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			logger := newLogger(&out, "orders", &Config{LogLevel: "info", LogFormat: test.format})
			logger.Info("done", "took", 1500*time.Millisecond)
			logger.Debug("not shown")
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %s in %s", want, out.String())
				}
			}
			if lines := strings.Count(out.String(), "\n"); lines != 1 {
				t.Errorf("%d lines, want 1:\n%s", lines, out.String())
			}
		})
	}
}
