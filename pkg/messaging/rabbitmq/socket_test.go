package rabbitmq

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/warren/pkg/messaging"
)

// wire is the network side of a socket. It counts writes, and blocks them until open is closed.
type wire struct {
	net.Conn // nil: only the methods below are called
	began    chan struct{}
	open     chan struct{}
	err      error
	limit    int // with err: writes succeed until so many bytes are written

	mu      sync.Mutex
	written []byte
	writes  int
	closed  chan struct{}
}

func newWire() *wire {
	return &wire{began: make(chan struct{}, 1), open: make(chan struct{}), closed: make(chan struct{})}
}

func (w *wire) Write(p []byte) (int, error) {
	signal(w.began)
	select {
	case <-w.open:
	case <-w.closed:
		return 0, net.ErrClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if left := w.limit - len(w.written); w.err != nil && len(p) > left {
		w.written = append(w.written, p[:left]...)
		return left, w.err
	}
	w.written = append(w.written, p...)
	return len(p), nil
}

func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.closed:
	default:
		close(w.closed)
	}
	return nil
}

func write(t *testing.T, s *socket, p []byte) {
	t.Helper()
	if _, err := s.Write(p); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func TestSocketGathersWritesIntoOneSystemCall(t *testing.T) {
	w := newWire()
	s := newSocket(w, time.Second, 0)
	const publishers = 100
	// The first write may be in progress alone. All others must share the second.
	for range publishers {
		write(t, s, []byte("frame"))
	}
	close(w.open)
	if err := s.Flushed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if w.writes > 2 {
		t.Errorf("%d writes to the network for %d publishers, want at most 2", w.writes, publishers)
	}
	if got, want := len(w.written), publishers*len("frame"); got != want {
		t.Errorf("%d bytes written, want %d", got, want)
	}
}

func TestSocketReportsWhatWasNotWritten(t *testing.T) {
	broken := errors.New("broken pipe")
	w := newWire()
	w.err = broken
	s := newSocket(w, time.Second, 0)
	write(t, s, []byte("first"))
	close(w.open)
	if err := s.Flushed(t.Context()); err == nil {
		t.Error("Flushed returned nil for bytes that were not written")
	}
	<-w.closed
	if _, err := s.Write([]byte("second")); !errors.Is(err, broken) {
		t.Errorf("Write after a failure: %v, want %v", err, broken)
	}
	_ = s.Close()
}

// TestSocketReportsWhatWasWrittenBeforeAFailure has the network fail within a batch of two messages.
func TestSocketReportsWhatWasWrittenBeforeAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.err, w.limit = errors.New("broken pipe"), 3*maxWrite
		s := newSocket(w, time.Second, 0)
		write(t, s, []byte("keeps the network busy"))
		synctest.Wait()
		flushed := []chan error{make(chan error, 1), make(chan error, 1)}
		for _, result := range flushed {
			write(t, s, make([]byte, 2*maxWrite))
			go func() { result <- s.Flushed(t.Context()) }()
			synctest.Wait()
		}
		close(w.open)
		if err := <-flushed[0]; err != nil {
			t.Errorf("Flushed returned %v for bytes that were written", err)
		}
		if err := <-flushed[1]; err == nil {
			t.Error("Flushed returned nil for bytes of which the last were not written")
		}
		_ = s.Close()
	})
}

// TestSocketReportsWhatWasWrittenBeforeClose asks for the result of a write after the socket was closed.
func TestSocketReportsWhatWasWrittenBeforeClose(t *testing.T) {
	w := newWire()
	close(w.open)
	s := newSocket(w, time.Second, 0)
	write(t, s, []byte("frame"))
	_ = s.Close()
	if err := s.Flushed(t.Context()); err != nil {
		t.Errorf("Flushed returned %v for bytes that were written", err)
	}
}

func TestSocketCloseEndsWaits(t *testing.T) {
	w := newWire()
	s := newSocket(w, time.Second, 0)
	write(t, s, []byte("first"))
	result := make(chan error, 1)
	go func() { result <- s.Flushed(context.Background()) }()
	_ = w.Close()
	if err := <-result; err == nil {
		t.Error("Flushed returned nil although the network was closed before the write")
	}
	_ = s.Close()
}

func TestSocketReserveHonoursContext(t *testing.T) {
	w := newWire()
	s := newSocket(w, time.Second, 0)
	write(t, s, make([]byte, maxAccepted))
	<-w.began // a write in progress frees capacity
	write(t, s, make([]byte, maxAccepted))
	wantFull(t, s)
	close(w.open)
	if err := s.Reserve(t.Context(), 1); err != nil {
		t.Errorf("Reserve once the network accepts writes: %v", err)
	}
	_ = s.Close()
}

func wantFull(t *testing.T, s *socket) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Reserve(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Reserve of a full socket: %v, want the context's error", err)
	}
}

func TestSocketReservationTakesCapacity(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(s *socket) // of the reservation
		want error           // of the waiting Reserve
	}{
		// Nothing was written, so the release alone must wake Reserve.
		"released": {func(s *socket) { s.Release(maxAccepted) }, nil},
		"closed":   {func(s *socket) { _ = s.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSocket(newWire(), time.Second, 0)
				if err := s.Reserve(t.Context(), maxAccepted); err != nil {
					t.Fatal(err)
				}
				waiting := make(chan error, 1)
				go func() { waiting <- s.Reserve(t.Context(), 1) }()
				synctest.Wait()
				if len(waiting) > 0 {
					t.Fatalf("Reserve of a full socket: %v, want that it waits", <-waiting)
				}
				test.end(s)
				if err := <-waiting; !errors.Is(err, test.want) {
					t.Errorf("Reserve: %v, want %v", err, test.want)
				}
				_ = s.Close()
			})
		})
	}
}

// TestSocketAdmitsUpToItsCapacity has many publishers reserve capacity before any of them writes.
func TestSocketAdmitsUpToItsCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSocket(newWire(), time.Second, 0)
		ctx, cancel := context.WithCancel(t.Context())
		const body, publishers, want = maxAccepted / 4, 100, 4
		admitted := make(chan struct{}, publishers)
		for range publishers {
			go func() {
				if s.Reserve(ctx, body) == nil {
					admitted <- struct{}{}
				}
			}()
		}
		synctest.Wait()
		if got := len(admitted); got != want {
			t.Errorf("%d publishers admitted with %d bytes each, want %d", got, body, want)
		}
		cancel()
		_ = s.Close()
	})
}

func TestNotSentIsUnavailable(t *testing.T) {
	if err := notSent(t.Context(), errNotWritten); !errors.Is(err, messaging.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}
