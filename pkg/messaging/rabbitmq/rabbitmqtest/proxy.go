package rabbitmqtest

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy forwards bytes between its clients and a node, or holds them up as a network does that fails silently. The usual
// library, toxiproxy, does not serve: it closes the connections when such a fault ends, and drops the bytes that it held.
type Proxy struct {
	listener net.Listener
	target   string
	serving  sync.WaitGroup

	mu       sync.Mutex
	requests chan struct{} // closed while bytes to the node pass
	replies  chan struct{} // closed while bytes from the node pass
	conns    []net.Conn
	sent     bytes.Buffer
}

// StartProxy starts a proxy for the node at target, which is closed with the test.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, target: target, requests: make(chan struct{}), replies: make(chan struct{})}
	p.Pass()
	p.serving.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

// Addr returns the host and port at which clients reach the node.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL returns a URL of the node with the address of the proxy.
func (p *Proxy) URL(t testing.TB, node string) string {
	t.Helper()
	u, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = p.Addr()
	return u.String()
}

// Sent returns everything that clients have sent so far.
func (p *Proxy) Sent() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.sent.Bytes())
}

// Swallow holds up all bytes in both directions, and closes no connection.
func (p *Proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.replies = make(chan struct{}), make(chan struct{})
}

// SwallowRequests holds up the bytes to the node. Those from the node still pass.
func (p *Proxy) SwallowRequests() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = make(chan struct{})
}

// Pass forwards the bytes that were held up, and all that follow.
func (p *Proxy) Pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, way := range []chan struct{}{p.requests, p.replies} {
		select {
		case <-way:
		default:
			close(way)
		}
	}
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target) //nolint:noctx // on loopback; it ends with the node
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.serving.Go(func() { p.copy(client, server, io.Discard, &p.replies) })
		p.serving.Go(func() { p.copy(server, client, &p.sent, &p.requests) })
	}
}

// copy forwards one direction of a connection. It holds up the end of the connection too.
func (p *Proxy) copy(to, from net.Conn, tap io.Writer, way *chan struct{}) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		_, _ = tap.Write(buffer[:n])
		open := *way
		p.mu.Unlock()
		<-open
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *Proxy) close() {
	p.Pass()
	_ = p.listener.Close()
	p.mu.Lock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.serving.Wait()
}
