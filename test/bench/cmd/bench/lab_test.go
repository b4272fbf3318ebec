package main

import "testing"

// TestGatewayWithBenchRoutes builds the gateway with the benchmark's routes.
func TestGatewayWithBenchRoutes(t *testing.T) {
	t.Chdir("../../../..") // the repository's root
	l := &lab{folder: t.TempDir()}
	if err := l.build(t.Context(), []string{"./services/gateway/cmd/gateway"}); err != nil {
		t.Fatal(err)
	}
}
