package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"example.com/warren/test/bench/internal/profile"
	"example.com/warren/test/internal/system"
)

// heldRequests is how many HTTP requests wait for their replies at once: the gateway's limit for a queue.
const heldRequests = 2000

// heldGateway is a gateway without a benchService.
type heldGateway struct {
	*process
	addr, admin, profiles string
}

// measureHeld returns the gateway's memory for an HTTP request that waits for its reply, in bytes of Go's heap and stacks after
// garbage collection. It includes the connection.
func (l *lab) measureHeld(ctx context.Context) (float64, error) {
	g, err := l.startHeldGateway(ctx)
	if err != nil {
		return 0, err
	}
	tokens, err := l.logIn(ctx, "http://"+g.addr)
	if err != nil {
		return 0, err
	}
	before, err := g.memory(ctx)
	if err != nil {
		return 0, err
	}
	for range heldRequests {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", g.addr)
		if err != nil {
			return 0, fmt.Errorf("hold a request: %w", err)
		}
		defer conn.Close() // all stay open until the end
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n",
			orderPath, g.addr, tokens[0]); err != nil {
			return 0, fmt.Errorf("hold a request: %w", err)
		}
	}
	if err := g.awaitHeld(ctx); err != nil {
		return 0, err
	}
	after, err := g.memory(ctx)
	return float64(after-before) / heldRequests, err
}

func (l *lab) startHeldGateway(ctx context.Context) (*heldGateway, error) {
	g := &heldGateway{}
	for _, addr := range []*string{&g.addr, &g.admin, &g.profiles} {
		var err error
		if *addr, err = system.FindAddr(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := l.service(ctx, "access-control", heldHost, nil); err != nil {
		return nil, err
	}
	var err error
	g.process, err = l.start("held-gateway", "profiled-gateway", nil, []string{
		"BROKER_URL=" + l.brokerURL("gateway", heldHost),
		"GATEWAY_ADDR=" + g.addr,
		"RPC_VERIFY_REPLIES=true",
		"ADMIN_ADDR=" + g.admin,
		profile.AddrVariable + "=" + g.profiles,
		"RPC_TIMEOUT=50s",
	})
	if err != nil {
		return nil, err
	}
	return g, await(ctx, g.process, "http://"+g.admin+"/readyz", "")
}

// awaitHeld waits until all requests wait for their replies.
func (g *heldGateway) awaitHeld(ctx context.Context) error {
	return g.await(ctx, startTimeout, func(ctx context.Context) error {
		held, err := system.Metric(ctx, g.admin, "rpc_client_active_calls", "rpc_method", benchService+".get")
		if err == nil && held != heldRequests {
			err = fmt.Errorf("%v requests wait, want %d", held, heldRequests)
		}
		return err
	})
}

// memory returns the bytes of heap and stacks in use. It collects garbage three times, since each collection halves the stacks
// that are too large.
func (g *heldGateway) memory(ctx context.Context) (int64, error) {
	var page string
	for range 3 {
		status, body, err := system.Fetch(ctx, "http://"+g.profiles+"/debug/pprof/heap?gc=1&debug=1")
		if err != nil {
			return 0, err
		}
		if status != http.StatusOK {
			return 0, fmt.Errorf("heap profile: %w %d", errStatus, status)
		}
		page = body
	}
	heap, err := sizeIn(page, "HeapInuse")
	if err != nil {
		return 0, err
	}
	stacks, err := sizeIn(page, "Stack")
	return heap + stacks, err
}

// sizeIn returns one of the sizes at the end of a heap profile in text form.
func sizeIn(page, name string) (n int64, err error) {
	_, value, _ := strings.Cut(page, "\n# "+name+" = ")
	if _, err := fmt.Fscan(strings.NewReader(value), &n); err != nil {
		return 0, fmt.Errorf("find %s in the heap's profile: %w", name, err)
	}
	return n, nil
}
