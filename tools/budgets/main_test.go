package main

import (
	"maps"
	"testing"
	"testing/fstest"
)

func TestCountLines(t *testing.T) {
	three := &fstest.MapFile{Data: []byte("a\n\n// b\n")}
	lines, err := countLines(fstest.MapFS{
		"pkg/messaging/a.go":                       three,
		"pkg/messaging/inmem/a.go":                 three,
		"pkg/messaging/rabbitmq/a.go":              three,
		"pkg/messaging/rabbitmq/a_test.go":         three,
		"pkg/messaging/rabbitmq/rabbitmqtest/a.go": three,
		"pkg/messaging/README.md":                  three,
		"pkg/rpc/testdata/a.go":                    three,
		"cmd/warren/internal/console/web/a.js":     three,
		"cmd/warren/internal/console/web/a.css":    three,
		"services/stock/a.go":                      three,
		"test/a.go":                                three,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"pkg/messaging with inmem": 6, "pkg/messaging/rabbitmq": 3, "services, the rest": 3, "cmd/warren's console, the page": 6,
	}
	if !maps.Equal(lines, want) {
		t.Errorf("lines = %v, want %v", lines, want)
	}
}
