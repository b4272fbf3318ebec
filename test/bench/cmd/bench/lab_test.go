package main

import (
	"path/filepath"
	"testing"
)

// TestLongGatewayWithBenchRoutes builds the gateway with the benchmark's routes.
func TestLongGatewayWithBenchRoutes(t *testing.T) {
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{source: root, folder: t.TempDir()}
	if err := l.build(t.Context(), []string{"./services/gateway/cmd/gateway"}); err != nil {
		t.Fatal(err)
	}
}
