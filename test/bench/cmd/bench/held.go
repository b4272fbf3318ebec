package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"example.com/warren/test/bench/internal/profile"
)

// heldRequests is how many HTTP requests wait for their replies at once: as many as a gateway lets wait on one queue.
const heldRequests = 2000

// heldGateway is a gateway without a service of orders behind it.
type heldGateway struct {
	*process
	addr, admin, profiles string
}

// measureHeld returns the memory that an HTTP request takes of the gateway while it waits for its reply, in bytes of Go's heap
// and stacks after garbage collection. That of its connection is in it.
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
		defer conn.Close() // all of them are held to the end
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
		if *addr, err = freeAddr(ctx); err != nil {
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

// awaitHeld returns once all requests wait.
func (g *heldGateway) awaitHeld(ctx context.Context) error {
	all := fmt.Sprintf("rpc_client_in_flight{queue=\"orders.get\"} %d\n", heldRequests)
	return g.await(ctx, startTimeout, func(ctx context.Context) error {
		metrics, err := read(ctx, "http://"+g.admin+"/metrics")
		if err == nil && !bytes.Contains(metrics, []byte(all)) {
			err = errNotReady
		}
		return err
	})
}

// memory is what Go has given out, in bytes. Each collection halves the stacks that are too large.
func (g *heldGateway) memory(ctx context.Context) (int64, error) {
	var page []byte
	for range 3 {
		var err error
		if page, err = read(ctx, "http://"+g.profiles+"/debug/pprof/heap?gc=1&debug=1"); err != nil {
			return 0, err
		}
	}
	heap, err := sizeIn(page, "HeapInuse")
	if err != nil {
		return 0, err
	}
	stacks, err := sizeIn(page, "Stack")
	return heap + stacks, err
}

// sizeIn returns one of the sizes at the end of a heap profile as text.
func sizeIn(page []byte, name string) (n int64, err error) {
	_, value, _ := bytes.Cut(page, []byte("\n# "+name+" = "))
	if _, err := fmt.Fscan(bytes.NewReader(value), &n); err != nil {
		return 0, fmt.Errorf("find %s in the heap's profile: %w", name, err)
	}
	return n, nil
}

func read(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w %d of %s", errStatus, response.StatusCode, url)
	}
	return io.ReadAll(response.Body)
}
