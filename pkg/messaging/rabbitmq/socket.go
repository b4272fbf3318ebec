package rabbitmq

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	// maxAccepted is how much a socket accepts ahead of the network before publishers wait.
	maxAccepted = 1 << 20
	// maxWrite is the most that one system call is given.
	maxWrite = 64 << 10
	// maxSpare is the largest buffer kept for the next batch.
	maxSpare = 2 << 20
	// lastWriteTimeout bounds the last write of a socket that is being closed.
	lastWriteTimeout = time.Second
)

var errNotWritten = errors.New("connection lost before the write")

// socket gathers what concurrent publishers write and hands it to the kernel in one system call, which is the largest
// part of a small message's cost. Write only accepts; Flushed tells whether the bytes went out, so that what was
// accepted and never written counts as not sent.
type socket struct {
	net.Conn
	writeTimeout time.Duration
	readTimeout  time.Duration // 0: as the AMQP library sets it

	mu       sync.Mutex
	accepted []byte
	reserved int           // bytes that publishers are about to write
	room     chan struct{} // closed when there is room again; nil if nobody waits for it
	next     *batch        // of accepted
	writing  *batch        // nil while the flusher rests
	err      error

	wake    chan struct{}
	closing chan struct{}
	stopped chan struct{} // the flusher has returned
}

// batch is what one system call writes.
type batch struct {
	done chan struct{}
	err  error // valid once done is closed
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (b *batch) finish(err error) {
	b.err = err
	close(b.done)
}

func newSocket(conn net.Conn, writeTimeout, readTimeout time.Duration) *socket {
	s := &socket{
		Conn:         conn,
		writeTimeout: writeTimeout,
		readTimeout:  readTimeout,
		next:         newBatch(),
		wake:         make(chan struct{}, 1),
		closing:      make(chan struct{}),
		stopped:      make(chan struct{}),
	}
	go s.flush()
	return s
}

// Write accepts p for the next batch. It never blocks: callers wait in Reserve before they come here, because the AMQP
// library calls Write under locks that acknowledgements and Close need too.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	s.accepted = append(s.accepted, p...)
	s.signal()
	return len(p), nil
}

func (s *socket) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Reserve waits until the socket is less than maxAccepted ahead of the network, what others have reserved included, and
// reserves n bytes: without that, all who wait would write at once. Release has to follow.
func (s *socket) Reserve(ctx context.Context, n int) error {
	for {
		room, err := s.reserve(n)
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reserve returns what to wait for if there is no room.
func (s *socket) reserve(n int) (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if !s.full() {
		s.reserved += n
		return nil, nil
	}
	if s.room == nil {
		s.room = make(chan struct{})
	}
	return s.room, nil
}

// Release gives back what Reserve has reserved, once Write has accepted it or nothing comes of it.
func (s *socket) Release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= n
	s.wakeReservers()
}

func (s *socket) full() bool { return len(s.accepted)+s.reserved >= maxAccepted }

func (s *socket) wakeReservers() {
	if s.room == nil || s.full() && s.err == nil {
		return
	}
	close(s.room)
	s.room = nil
}

// Flushed waits until all that was accepted before the call is written.
func (s *socket) Flushed(ctx context.Context) error {
	s.mu.Lock()
	last := s.writing
	if len(s.accepted) > 0 {
		last = s.next
	}
	err := s.err
	s.mu.Unlock()
	if last == nil {
		return err
	}
	select {
	case <-last.done:
		return last.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flush writes batches until the socket closes or a write fails.
func (s *socket) flush() {
	defer close(s.stopped)
	var spare []byte
	for {
		select {
		case <-s.wake:
			// The publishers that are about to write join this batch instead of paying for their own.
			runtime.Gosched()
			spare = s.writeBatch(spare, s.writeTimeout)
		case <-s.closing:
			s.writeBatch(spare, lastWriteTimeout)
			s.fail(net.ErrClosed)
			return
		}
	}
}

// writeBatch writes what is accepted and returns its buffer for reuse.
func (s *socket) writeBatch(spare []byte, timeout time.Duration) []byte {
	s.mu.Lock()
	if len(s.accepted) == 0 || s.err != nil {
		s.mu.Unlock()
		return spare
	}
	data, current := s.accepted, s.next
	s.accepted, s.next, s.writing = spare[:0], newBatch(), current
	s.wakeReservers()
	s.mu.Unlock()

	err := s.write(data, timeout)

	s.wrote(current, err)
	if err != nil {
		// The reader of the connection learns of it by its own next read.
		_ = s.Conn.Close()
	}
	if cap(data) > maxSpare {
		return nil
	}
	return data
}

// write gives each slice the time that one write may take: a slow network is not a dead one.
func (s *socket) write(data []byte, timeout time.Duration) error {
	for slice := range slices.Chunk(data, maxWrite) {
		if err := s.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		if _, err := s.Conn.Write(slice); err != nil {
			return err
		}
	}
	return nil
}

// wrote ends a batch. One that failed is s.writing until s.err is set: in between, Flushed would take it for written.
func (s *socket) wrote(b *batch, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = nil
	b.finish(err)
	if err != nil {
		s.failLocked(err)
	}
}

// fail ends all waiting: what is accepted will not be written.
func (s *socket) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(err)
}

func (s *socket) failLocked(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	s.next.finish(errNotWritten)
	s.wakeReservers()
}

// SetReadDeadline shortens the AMQP library's deadline, which is three heartbeats, to readTimeout.
func (s *socket) SetReadDeadline(t time.Time) error {
	if s.readTimeout > 0 && !t.IsZero() {
		if limit := time.Now().Add(s.readTimeout); t.After(limit) {
			t = limit
		}
	}
	return s.Conn.SetReadDeadline(t)
}

// Close writes what is accepted, which may be the answer to the peer's farewell, and closes the connection.
func (s *socket) Close() error {
	s.mu.Lock()
	select {
	case <-s.closing:
	default:
		close(s.closing)
		// A write that hangs must not outlast this one.
		_ = s.SetWriteDeadline(time.Now().Add(lastWriteTimeout))
	}
	s.mu.Unlock()
	<-s.stopped
	return s.Conn.Close()
}
