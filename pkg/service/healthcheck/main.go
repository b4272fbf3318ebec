// Command healthcheck asks the service of the same container whether it is ready: images without a shell have nothing
// else to ask with. It takes the address from ADMIN_ADDR, as the service does, and ends with status 1 and the reason
// if the service is not ready.
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

// check returns why the service whose admin listener is at addr is not ready. An address without a host, or with
// 0.0.0.0, is this machine's.
func check(ctx context.Context, addr string) error {
	if addr == "" {
		return errors.New("ADMIN_ADDR is not set")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://service/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask whether the service is ready: %w", err)
	}
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		DisableKeepAlives: true,
	}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask whether the service is ready: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	reason, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // what can be read of it
	return fmt.Errorf("not ready: %s: %s", response.Status, reason)
}
