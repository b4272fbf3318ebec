// Command profiled-gateway is the gateway with a listener for profiles.
package main

import (
	"fmt"
	"os"

	"example.com/warren/pkg/service"
	"example.com/warren/services/gateway"
	"example.com/warren/test/bench/internal/profile"
)

func main() {
	if err := profile.Serve(); err != nil {
		fmt.Fprintln(os.Stderr, "profiled-gateway:", err)
		os.Exit(1)
	}
	service.Main(gateway.New())
}
