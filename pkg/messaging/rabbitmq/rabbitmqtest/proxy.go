package rabbitmqtest

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy passes bytes between its clients and a node, or keeps them as a network does that stops without a word. It is our
// own because the library for it, toxiproxy, closes the connections when such a hole ends, and drops what it swallowed.
type Proxy struct {
	listener net.Listener
	target   string
	serving  sync.WaitGroup

	mu       sync.Mutex
	requests chan struct{} // closed: bytes to the node pass
	replies  chan struct{} // closed: bytes from the node pass
	conns    []net.Conn
	sent     bytes.Buffer
}

// StartProxy passes bytes to a node's address and back, until the test ends.
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

// Addr is where clients reach the node.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL is a URL of the node, by way of the proxy.
func (p *Proxy) URL(t testing.TB, node string) string {
	t.Helper()
	u, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = p.Addr()
	return u.String()
}

// Sent returns all that clients have sent so far.
func (p *Proxy) Sent() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.sent.Bytes())
}

// Swallow lets no byte pass, either way, and closes nothing.
func (p *Proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.replies = make(chan struct{}), make(chan struct{})
}

// SwallowRequests lets no byte pass to the node, whose own still come.
func (p *Proxy) SwallowRequests() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = make(chan struct{})
}

// Pass lets pass what was swallowed, and all that follows.
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

// copy also keeps the end of a connection to itself while there is a hole.
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
