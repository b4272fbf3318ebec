package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/internal/inbound"
)

const (
	firstRedial = 100 * time.Millisecond
	lastRedial  = time.Second // the longest pause, jitter included
	maxFrame    = 128 << 10   // RabbitMQ's default, of frames sent and received
)

// connection keeps one connection to the broker alive: it dials until it succeeds, and again whenever its session ends.
type connection struct {
	purpose     string // "publish", "consume" or "browse"; part of the connection's name and of log entries
	options     Options
	open        func(*session) error // makes a new session ready for use
	reconnected func()               // called when a session has replaced another; must not block
	log         *slog.Logger
	node        int // index of the URL that was connected to last; used by run alone

	mu      sync.Mutex
	current *session      // nil while the broker is away
	err     error         // why current is nil
	changed chan struct{} // closed when current changes
}

func newConnection(purpose string, options Options, open func(*session) error, reconnected func()) *connection {
	return &connection{
		purpose:     purpose,
		options:     options,
		open:        open,
		reconnected: reconnected,
		log:         options.Logger.With("connection", purpose),
		err:         fmt.Errorf("%w: not connected yet", messaging.ErrUnavailable),
		changed:     make(chan struct{}),
	}
}

// run dials, waits for the session to end, and dials again, until ctx ends. It returns once its goroutines have ended.
func (c *connection) run(ctx context.Context) {
	pause := newBackOff()
	dialed := false
	for ctx.Err() == nil {
		s, err := c.connect(ctx)
		if err != nil {
			c.set(nil, fmt.Errorf("%w: %w", messaging.ErrUnavailable, err))
			wait := pause.NextBackOff()
			if ctx.Err() == nil {
				c.log.WarnContext(ctx, "broker unreachable", "error", err, "retry_in", wait)
			}
			sleep(ctx, wait)
			continue
		}
		began := time.Now()
		c.serve(ctx, s, dialed)
		dialed = true
		// A connection that ends right after it was opened must not be redialed in a tight loop.
		if time.Since(began) > lastRedial {
			pause.Reset()
		} else {
			sleep(ctx, pause.NextBackOff())
		}
	}
	c.set(nil, messaging.ErrClosed)
}

// serve makes s the current session until it or ctx ends.
func (c *connection) serve(ctx context.Context, s *session, again bool) {
	c.set(s, nil)
	c.log.InfoContext(ctx, "connected to broker", "node", s.amqp.RemoteAddr().String())
	if again {
		c.reconnected()
	}
	select {
	case <-s.ctx.Done():
		err := context.Cause(s.ctx)
		c.log.WarnContext(ctx, "connection to broker lost", "error", err)
		c.set(nil, fmt.Errorf("%w: %w", messaging.ErrUnavailable, err))
		s.close(false)
	case <-ctx.Done():
		c.set(nil, messaging.ErrClosed)
		s.close(true)
	}
}

// newBackOff returns growing pauses with jitter, so that clients that lost the same broker do not redial it in step.
func newBackOff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     firstRedial,
		MaxInterval:         lastRedial * 2 / 3, // before the jitter, which may add half of it
		Multiplier:          2,
		RandomizationFactor: 0.5,
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// connect tries each node once. It begins with the one that responded last, because a silent node costs a time-out.
func (c *connection) connect(ctx context.Context) (*session, error) {
	var errs []error
	for i := range c.options.URLs {
		node := (c.node + i) % len(c.options.URLs)
		s, err := c.dial(ctx, c.options.URLs[node])
		if err == nil {
			c.node = node
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (c *connection) dial(ctx context.Context, url string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.DialTimeout)
	defer cancel()
	uri, err := amqp.ParseURI(url)
	if err != nil {
		return nil, errors.New("parse broker URL")
	}
	node := net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port))

	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", node)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", node, err)
	}
	// The library's calls take no context, so the end of ctx closes the socket until dial returns.
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	sock := newSocket(raw, c.options.WriteTimeout, 2*c.options.Heartbeat)
	var auth clientAuth
	conn, err := c.handshake(ctx, sock, uri, &auth)
	if err != nil {
		_ = sock.Close()
		return nil, fmt.Errorf("dial %s: %w", node, auth.explain(err, uri.Scheme))
	}
	s := newSession(conn, sock, uri.Username)
	if err := c.open(s); err != nil {
		s.close(true)
		return nil, fmt.Errorf("open channels on %s: %w", node, err)
	}
	return s, nil
}

// handshake does what amqp.DialConfig does, with an inbound.Conn between TLS and the library.
func (c *connection) handshake(ctx context.Context, sock *socket, uri amqp.URI, auth *clientAuth) (*amqp.Connection, error) {
	var conn net.Conn = sock
	if uri.Scheme == "amqps" {
		client := tls.Client(sock, auth.watch(c.options.TLS, uri.Host))
		if err := client.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = client
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(c.options.Name + " " + c.purpose)
	in := inbound.New(conn)
	opened, err := amqp.Open(in, amqp.Config{
		SASL:       []amqp.Authentication{uri.PlainAuth()},
		Vhost:      uri.Vhost,
		ChannelMax: uri.ChannelMax,
		FrameSize:  maxFrame,
		Heartbeat:  c.options.Heartbeat,
		Properties: properties,
		Locale:     "en_US",
	})
	if err != nil {
		return nil, err
	}
	in.LimitFrames(opened.Config.FrameSize)
	return opened, nil
}

func (c *connection) set(s *session, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.err = s, err
	close(c.changed)
	c.changed = make(chan struct{})
}

// session returns the current session, or an error that wraps ErrUnavailable, or ErrClosed.
func (c *connection) session() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, c.err
}

// await returns the current session, and waits for one while the broker is away.
func (c *connection) await(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, err, changed := c.current, c.err, c.changed
		c.mu.Unlock()
		if err == nil || errors.Is(err, messaging.ErrClosed) {
			return s, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
