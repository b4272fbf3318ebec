package chaos

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// The time-outs of a gateway with slow clients. The last one must be longer than the slowest route takes.
const (
	readHeaderTimeout = time.Second
	readTimeout       = 2 * time.Second
	writeTimeout      = 11 * time.Second
)

// endOnItsWay is how long it may take a client to see that the gateway has closed the connection.
const endOnItsWay = 2 * time.Second

// TestLongSlowClients has clients send byte by byte, send nothing, and never read. To the gateway, a client that vanished without
// closing its connection looks like one of the last two. The gateway closes each connection in time, keeps nothing of it,
// and serves other clients meanwhile.
func TestLongSlowClients(t *testing.T) {
	s := suite.StartSystem(t, patientSetting(), "GATEWAY_READ_HEADER_TIMEOUT="+readHeaderTimeout.String(),
		"GATEWAY_READ_TIMEOUT="+readTimeout.String(), "GATEWAY_WRITE_TIMEOUT="+writeTimeout.String())
	demo := s.API.Login(t, "demo")
	l := startLoad(t, demo)
	before := holdingOf(t, s.Gateway)
	header := "POST /v1/orders HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " + demo.Token + "\r\n"
	kinds := []struct {
		name    string
		timeout time.Duration // after which the gateway closes the connection
		clients int
		behave  func(*net.TCPConn) error // returns nil once the gateway has closed the connection
	}{
		{"headers byte by byte", readHeaderTimeout, size(50, 500), func(c *net.TCPConn) error { return drip(c, "", header) }},
		{"body byte by byte", readTimeout, size(50, 500), func(c *net.TCPConn) error {
			return drip(c, header+"Content-Length: 1000\r\n\r\n", strings.Repeat(" ", 1000))
		}},
		{"nothing", readHeaderTimeout, size(50, 500), func(c *net.TCPConn) error { return drain(c) }},
		{"never read", writeTimeout, size(2, 5), func(c *net.TCPConn) error {
			return neverRead(c, rawRequest(http.MethodGet, "/v1/orders?limit=100", demo.Token, ""))
		}},
	}
	began := time.Now()
	var running sync.WaitGroup
	all := 0
	for _, kind := range kinds {
		all += kind.clients
		for range kind.clients {
			running.Go(func() {
				allowed := kind.timeout + size(30*time.Second, 10*time.Second)
				if err := connect(s, allowed, kind.behave); err != nil {
					t.Errorf("%s: connection not closed within %s: %v", kind.name, allowed, err)
				}
			})
		}
	}
	l.fault(t, began)
	running.Wait()
	t.Logf("%d connections closed within %s", all, time.Since(began).Round(time.Millisecond))
	l.users[0].Client.CloseIdleConnections() // a slow moment makes the load open many more than usual
	awaitHolding(t, s.Gateway, before)
	l.finish(t, fmt.Sprintf("%d slow clients", all), ordersDatabase(s.Dir), resumes())
	l.allAnswered(t)
}

// connect opens a connection to the gateway and has a client behave on it, for the allowed time at most.
func connect(s *system.System, allowed time.Duration, behave func(*net.TCPConn) error) error {
	dialled, err := net.Dial("tcp", strings.TrimPrefix(s.API.URL, "http://"))
	if err != nil {
		return err
	}
	defer func() { _ = dialled.Close() }()
	conn, ok := dialled.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("connection of type %T", dialled)
	}
	if err := conn.SetDeadline(time.Now().Add(allowed)); err != nil {
		return err
	}
	return behave(conn)
}

// drip sends the text first at once and rest byte by byte, until the connection ends.
func drip(c net.Conn, first, rest string) error {
	if _, err := io.WriteString(c, first); err != nil {
		return ended(err)
	}
	over := make(chan error, 1)
	go func() { over <- drain(c) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
			if i < len(rest)-1 {
				_, _ = io.WriteString(c, rest[i:i+1]) // an error ends drain too
			}
		case err := <-over:
			return err
		}
	}
}

// drain reads until the connection ends.
func drain(c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	return ended(err)
}

// neverRead sends requests until the connection ends, and reads no response. A small receive buffer keeps the kernel from
// reading ahead.
//
// The client may miss the end of the connection: TCP cannot deliver it while the receive window is closed. So once the
// gateway has taken no request for longer than its time-out, the client reads, and may only get what was in flight.
func neverRead(c *net.TCPConn, request string) error {
	if err := c.SetReadBuffer(4 << 10); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < system.Patience; {
		if err := c.SetWriteDeadline(time.Now().Add(writeTimeout + endOnItsWay)); err != nil {
			return err
		}
		_, err := io.WriteString(c, request)
		if err == nil {
			continue
		}
		if !isTimeout(err) {
			return ended(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(endOnItsWay)); err != nil {
			return err
		}
		return drain(c)
	}
	return errors.New("gateway still serves the connection")
}

// ended returns nil if err shows that the other side has closed the connection, and err if it is a time-out.
func ended(err error) error {
	if isTimeout(err) {
		return err
	}
	return nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
