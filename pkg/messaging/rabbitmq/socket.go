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
	// maxAccepted is how many bytes a socket buffers ahead of the network before publishers wait.
	maxAccepted = 1 << 20
	// maxWrite is the most that one system call writes.
	maxWrite = 64 << 10
	// maxSpare is the largest buffer kept for the next batch.
	maxSpare = 2 << 20
	// lastWriteTimeout bounds the last write of a socket that is being closed.
	lastWriteTimeout = time.Second
)

var errNotWritten = errors.New("connection lost before the write")

// socket gathers the writes of concurrent publishers into one system call, the largest part of a small message's cost.
// Write only buffers. Flushed reports whether the bytes were written: a message of which the last byte was never written
// counts as not sent, because the peer ignores an incomplete one.
type socket struct {
	net.Conn
	writeTimeout time.Duration
	readTimeout  time.Duration // 0: as the AMQP library sets it

	mu       sync.Mutex
	accepted []byte
	total    int64         // bytes accepted so far
	written  int64         // bytes written so far
	reserved int           // bytes that publishers are about to write
	capacity chan struct{} // closed when there is capacity again; nil if no publisher waits for it
	next     *batch        // the batch that accepted belongs to
	writing  *batch        // nil while flush is idle
	err      error         // why nothing is accepted any more

	wake    chan struct{} // filled by Write: accepted is not empty
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when flush has returned
}

// batch is what one system call writes.
type batch struct {
	done chan struct{}
	// Valid once done is closed.
	written int64 // bytes that the socket had written by then
	err     error
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (b *batch) finish(written int64, err error) {
	b.written, b.err = written, err
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

// Write buffers p for the next batch. It never blocks, because the AMQP library calls it under locks that
// acknowledgements and Close need too. Publishers wait in Reserve instead.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	s.accepted = append(s.accepted, p...)
	s.total += int64(len(p))
	signal(s.wake)
	return len(p), nil
}

// signal fills c unless it is full.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Reserve waits until the socket is less than maxAccepted ahead of the network, and reserves n bytes, so that publishers
// that wait do not all write at once. Call Release afterwards.
func (s *socket) Reserve(ctx context.Context, n int) error {
	for {
		capacity, err := s.reserve(n)
		if capacity == nil {
			return err
		}
		select {
		case <-capacity:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reserve does not wait: it returns the channel to wait for if there is no capacity.
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
	if s.capacity == nil {
		s.capacity = make(chan struct{})
	}
	return s.capacity, nil
}

// Release ends a reservation of n bytes, once they are written or will not be.
func (s *socket) Release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= n
	s.wakeReservers()
}

func (s *socket) full() bool { return len(s.accepted)+s.reserved >= maxAccepted }

func (s *socket) wakeReservers() {
	if s.capacity == nil || s.full() && s.err == nil {
		return
	}
	close(s.capacity)
	s.capacity = nil
}

// Flushed waits until everything buffered before the call is written.
func (s *socket) Flushed(ctx context.Context) error {
	s.mu.Lock()
	end, written, err, last := s.total, s.written, s.err, s.writing
	if len(s.accepted) > 0 {
		last = s.next
	}
	s.mu.Unlock()
	if last != nil {
		select {
		case <-last.done:
			written, err = last.written, last.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if written >= end {
		return nil // an error came later
	}
	return err
}

// flush writes batches until the socket closes or a write fails.
func (s *socket) flush() {
	defer close(s.stopped)
	var spare []byte
	for {
		select {
		case <-s.wake:
			// Let the publishers that are about to write join this batch.
			runtime.Gosched()
			spare = s.writeBatch(spare, s.writeTimeout)
		case <-s.closing:
			s.writeBatch(spare, lastWriteTimeout)
			s.mu.Lock()
			s.fail(net.ErrClosed)
			s.mu.Unlock()
			return
		}
	}
}

// writeBatch writes what is buffered, and returns a buffer for the next batch but one.
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

	n, err := s.write(data, timeout)

	s.mu.Lock()
	s.writing = nil
	s.written += int64(n)
	current.finish(s.written, err)
	s.fail(err) // in the same critical section, or Flushed would take a failed batch for written
	s.mu.Unlock()
	if err != nil {
		// The connection's next read fails and reports the loss.
		_ = s.Conn.Close()
	}
	if cap(data) > maxSpare {
		return nil
	}
	return data
}

// write gives each slice the full time-out, because a slow network is not a dead one.
func (s *socket) write(data []byte, timeout time.Duration) (written int, err error) {
	for slice := range slices.Chunk(data, maxWrite) {
		if err := s.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return written, err
		}
		n, err := s.Conn.Write(slice)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// fail ends all waits if err is not nil: what is buffered will not be written. The first error stays. Called with mu held.
func (s *socket) fail(err error) {
	if err == nil || s.err != nil {
		return
	}
	s.err = err
	s.next.finish(s.written, errNotWritten)
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

// Close writes what is buffered, which may be the response to the peer's closing handshake, and closes the connection.
func (s *socket) Close() error {
	s.mu.Lock()
	select {
	case <-s.closing:
	default:
		close(s.closing)
		// Bound the write that is in progress, too.
		_ = s.SetWriteDeadline(time.Now().Add(lastWriteTimeout))
	}
	s.mu.Unlock()
	<-s.stopped
	return s.Conn.Close()
}
