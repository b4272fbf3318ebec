package rabbitmq

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// farewell bounds the closing handshake: a broker that is low on memory does not read, and so never responds.
const farewell = time.Second

// errLost is the error of a call that needs a session that has ended.
var errLost = fmt.Errorf("%w: connection lost", messaging.ErrUnavailable)

// session is one generation of a [connection]. What belongs to it (channels, delivery tags, known queues) ends with it.
type session struct {
	amqp   *amqp.Connection
	socket *socket
	user   string // the user that the broker authenticated
	began  time.Time

	publisher atomic.Pointer[publisher] // only on the connection that publishes
	refusals  *refusals                 // likewise
	declarer  *declarer                 // only on the connection that consumes

	prober  *prober
	blocked atomic.Pointer[error] // why the broker takes no messages; nil while it does

	ctx context.Context         // ends with the session; its cause says why
	end context.CancelCauseFunc // the first cause stays

	mu         sync.Mutex // guards the start of goroutines against close, which waits for them
	goroutines sync.WaitGroup
}

// newSession takes over conn, which has just been dialed.
func newSession(conn *amqp.Connection, sock *socket, user string) *session {
	s := &session{amqp: conn, socket: sock, user: user, began: time.Now()}
	s.prober = newProber(s)
	s.ctx, s.end = context.WithCancelCause(context.Background())
	s.watch()
	return s
}

// watch follows what the broker says about the connection itself. The channels are buffered and always drained, because
// the library's reader waits up to 5 s for each notification that is not received.
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

// setBlocked records what the broker says about its memory and disk.
// See https://www.rabbitmq.com/docs/connection-blocked.
func (s *session) setBlocked(b amqp.Blocking) {
	if !b.Active {
		s.blocked.Store(nil)
		return
	}
	err := fmt.Errorf("%w: blocked by the broker: %s", messaging.ErrUnavailable, cmp.Or(b.Reason, "no reason given"))
	s.blocked.Store(&err)
	signal(s.prober.alarm)
}

// unavailable returns an error while the broker blocks the session's connection.
func (s *session) unavailable() error {
	if err := s.blocked.Load(); err != nil {
		return *err
	}
	return nil
}

// spawn runs f in a goroutine that close waits for. It reports false, and does not run f, if the session has ended.
func (s *session) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.goroutines.Go(f)
	return true
}

// call runs f, and waits until f returns or ctx ends. The library's calls in f take no context; they end with the session at
// the latest.
func (s *session) call(ctx context.Context, f func() error) error {
	result := make(chan error, 1)
	if !s.spawn(func() { result <- f() }) {
		return errLost
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close disconnects and waits for the session's goroutines. An orderly close tells the broker; the other cuts the
// connection.
func (s *session) close(orderly bool) {
	if orderly {
		// CloseDeadline alone may take longer: each heartbeat that arrives extends the deadline.
		cut := time.AfterFunc(farewell, func() { _ = s.socket.Close() })
		_ = s.amqp.CloseDeadline(time.Now().Add(farewell))
		cut.Stop()
	} else {
		_ = s.socket.Close()
	}
	s.mu.Lock() // no spawn is between its check and its start
	s.end(amqp.ErrClosed)
	s.mu.Unlock()
	s.goroutines.Wait()
}
