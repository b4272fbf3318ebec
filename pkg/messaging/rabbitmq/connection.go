package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

const (
	firstRedial = 100 * time.Millisecond
	lastRedial  = time.Second // the longest pause, jitter included
	// farewell bounds the closing handshake; a broker that is low on memory doesn't read, and so never answers.
	farewell = time.Second
)

// connection keeps one connection to the broker alive: it dials until it succeeds, and again when what it had is lost.
type connection struct {
	purpose string // "publish" or "consume", for logs and the management's list
	options Options
	node    int // index of the URL that was connected to last; only whoever calls connect uses it
	mu      sync.Mutex
	current *session      // nil while the broker is away
	reason  error         // why current is nil
	changed chan struct{} // closed when current changes

	open        func(*session) error
	reconnected func()
	stop        context.CancelFunc
	stopped     chan struct{}
}

// session is one generation of a connection. What belongs to it (channels, delivery tags, known queues) ends with it.
type session struct {
	amqp   *amqp.Connection
	socket *socket
	user   string // whom the broker knows the connection as

	publisher atomic.Pointer[publisher] // on the connection that publishes
	sent      *sentMessages             // there too; nil if sends are not confirmed
	declarer  *declarer                 // on the connection that consumes

	mu      sync.Mutex
	blocked string // why the broker takes no messages, "" if it does
	err     error  // why the session ended

	over chan struct{} // closed when the session has ended
	done sync.WaitGroup
}

func newConnection(purpose string, options Options) *connection {
	return &connection{
		purpose: purpose,
		options: options,
		reason:  errors.New("not connected yet"),
		changed: make(chan struct{}),
		stopped: make(chan struct{}),
	}
}

// start connects in the background. open readies each new session for use; reconnected is called when one has replaced
// another, before anybody watches it, and so must not block.
func (c *connection) start(open func(*session) error, reconnected func()) {
	ctx, stop := context.WithCancel(context.Background())
	c.open, c.reconnected, c.stop = open, reconnected, stop
	go c.run(ctx)
}

// run dials, waits for the session's end, and dials again, until ctx ends.
func (c *connection) run(ctx context.Context) {
	defer close(c.stopped)
	log := c.options.Logger.With("connection", c.purpose)
	pause := newBackOff()
	for dialled := false; ctx.Err() == nil; {
		s, err := c.connect(ctx)
		if err != nil {
			c.set(nil, err)
			if ctx.Err() != nil {
				break
			}
			wait := pause.NextBackOff()
			log.WarnContext(ctx, "broker unreachable", "error", err, "retry_in", wait)
			sleep(ctx, wait)
			continue
		}
		c.set(s, nil)
		log.InfoContext(ctx, "connected to broker", "node", s.amqp.RemoteAddr().String())
		if dialled {
			c.reconnected()
		}
		dialled = true
		began := time.Now()
		err = s.wait(ctx)
		c.set(nil, err)
		s.close(ctx.Err() != nil)
		if ctx.Err() == nil {
			log.WarnContext(ctx, "connection to broker lost", "error", err)
		}
		// A connection that ends as soon as it stands must not be dialled in a tight loop.
		if time.Since(began) > lastRedial {
			pause.Reset()
		} else {
			sleep(ctx, pause.NextBackOff())
		}
	}
	c.set(nil, messaging.ErrClosed)
}

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

// connect tries each node once, beginning with the one that answered last: a node that is silent costs a time-out.
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

	var sock *socket
	var auth clientAuth
	// The library's calls take no context: cutting the line is what ends them.
	intact := func() bool { return true }
	defer func() { intact() }()
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat:       c.options.Heartbeat,
		TLSClientConfig: auth.watch(c.options.TLS),
		Properties:      c.properties(),
		Dial: func(network, address string) (net.Conn, error) {
			raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			sock = newSocket(raw, c.options.WriteTimeout, 2*c.options.Heartbeat)
			intact = context.AfterFunc(ctx, func() { _ = raw.Close() })
			return sock, nil
		},
	})
	if err != nil {
		if sock != nil {
			_ = sock.Close()
		}
		return nil, fmt.Errorf("dial %s: %w", node, auth.explain(err, uri.Scheme))
	}
	s := &session{amqp: conn, socket: sock, user: uri.Username, over: make(chan struct{})}
	s.watch()
	if err := c.open(s); err != nil {
		s.close(true)
		return nil, fmt.Errorf("open channels on %s: %w", node, err)
	}
	return s, nil
}

func (c *connection) properties() amqp.Table {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(c.options.Name + " " + c.purpose)
	return properties
}

func (c *connection) set(s *session, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.reason = s, reason
	close(c.changed)
	c.changed = make(chan struct{})
}

// session returns the live session, or ErrUnavailable with the reason why there is none.
func (c *connection) session() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		return c.current, nil
	}
	if errors.Is(c.reason, messaging.ErrClosed) {
		return nil, messaging.ErrClosed
	}
	return nil, fmt.Errorf("%w: %w", messaging.ErrUnavailable, c.reason)
}

// await returns the live session, and waits for it while the broker is away.
func (c *connection) await(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		current, reason, changed := c.current, c.reason, c.changed
		c.mu.Unlock()
		if current != nil {
			return current, nil
		}
		if errors.Is(reason, messaging.ErrClosed) {
			return nil, reason
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// close ends the connection and waits until nothing of it runs.
func (c *connection) close() {
	c.stop()
	<-c.stopped
}

// watch follows what the broker says about the connection itself. The library's reader waits up to 5 s for each
// notification that nobody takes, so all of them are buffered, and always taken.
func (s *session) watch() {
	closes := s.amqp.NotifyClose(make(chan *amqp.Error, 1))
	blocks := s.amqp.NotifyBlocked(make(chan amqp.Blocking, 16))
	s.spawn(func() {
		for b := range blocks {
			s.setBlocked(b)
		}
	})
	s.spawn(func() {
		if err := <-closes; err != nil {
			s.end(err)
			return
		}
		s.end(amqp.ErrClosed)
	})
}

// spawn runs f in a goroutine that close waits for, unless the session is over.
func (s *session) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.done.Go(f)
	return true
}

func (s *session) setBlocked(b amqp.Blocking) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = ""
	if b.Active {
		s.blocked = b.Reason
		if s.blocked == "" {
			s.blocked = "no reason given"
		}
	}
}

// unavailable is the error of a session whose broker takes no messages for now.
// See https://www.rabbitmq.com/docs/connection-blocked.
func (s *session) unavailable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked == "" {
		return nil
	}
	return fmt.Errorf("%w: blocked by the broker: %s", messaging.ErrUnavailable, s.blocked)
}

// end marks the session as over; the first reason stays.
func (s *session) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	close(s.over)
}

// wait returns why the session ended.
func (s *session) wait(ctx context.Context) error {
	select {
	case <-s.over:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.err
	case <-ctx.Done():
		return messaging.ErrClosed
	}
}

// close disconnects and waits for the session's goroutines. In good order the broker is told; otherwise the line is cut.
func (s *session) close(orderly bool) {
	if orderly {
		// CloseDeadline alone may last: each heartbeat that comes moves the deadline on.
		cut := time.AfterFunc(farewell, func() { _ = s.socket.Close() })
		_ = s.amqp.CloseDeadline(time.Now().Add(farewell))
		cut.Stop()
	} else {
		_ = s.socket.Close()
	}
	s.end(amqp.ErrClosed)
	s.done.Wait()
}
