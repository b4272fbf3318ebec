// Command healthcheck reports whether the service in the same container is ready. It exists because the images have no
// shell and no curl. It reads the address from ADMIN_ADDR, as the service does. If the service is not ready, it prints
// the reason and exits with status 1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const timeout = 2 * time.Second

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	err := check(ctx, os.Getenv("ADMIN_ADDR"))
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check returns why the service with the admin listener at addr is not ready. An addr without a host, or with 0.0.0.0,
// means this machine.
func check(ctx context.Context, addr string) error {
	if addr == "" {
		return errors.New("ADMIN_ADDR is not set")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://service/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("create a request to /readyz: %w", err)
	}
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		DisableKeepAlives: true,
	}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("request /readyz: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	reason, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // part of it is better than nothing
	return fmt.Errorf("not ready: %s: %s", response.Status, reason)
}
