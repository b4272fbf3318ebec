package rabbitmq

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy passes bytes between its clients and the broker, or keeps them. It remembers what clients sent.
type proxy struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	requests chan struct{} // closed: bytes to the broker pass
	replies  chan struct{} // closed: bytes from the broker pass
	conns    []net.Conn
	sent     bytes.Buffer
	serving  sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: hostOf(t, target), requests: make(chan struct{}), replies: make(chan struct{})}
	close(p.requests)
	close(p.replies)
	p.serving.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
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

func (p *proxy) copy(to, from net.Conn, tap io.Writer, way *chan struct{}) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		_, _ = tap.Write(buffer[:n])
		open := *way
		p.mu.Unlock()
		<-open
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			_ = to.Close()
			return
		}
	}
}

// bytesSent returns all that clients have sent so far.
func (p *proxy) bytesSent() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.sent.Bytes())
}

// swallow lets no byte pass, either way.
func (p *proxy) swallow() {
	p.swallowRequests()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replies = make(chan struct{})
}

// swallowRequests lets no byte pass to the broker, whose own still come.
func (p *proxy) swallowRequests() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = make(chan struct{})
}

func (p *proxy) pass() {
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

func (p *proxy) close() {
	p.pass()
	_ = p.listener.Close()
	p.mu.Lock()
	var closers []io.Closer
	for _, conn := range p.conns {
		closers = append(closers, conn)
	}
	p.mu.Unlock()
	for _, c := range closers {
		_ = c.Close()
	}
	p.serving.Wait()
}

func hostOf(t *testing.T, broker string) string {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// url is the broker's own, by way of the proxy.
func (p *proxy) url(t *testing.T, broker string) string {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = p.listener.Addr().String()
	return u.String()
}
