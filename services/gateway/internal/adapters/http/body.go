package http

import (
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"example.com/warren/pkg/rpc"
)

// firstBodyBytes is how much room a body takes with its first byte.
const firstBodyBytes = 1 << 10

// errNoRoom: the bodies in memory take all the room that there is for them.
var errNoRoom = errors.New("no room for another body")

// bodyRoom is the memory for the bodies of one route's requests, in bytes. It is half of that for all, so that uploads to
// a service that hangs don't take the room of the others.
type bodyRoom struct{ route, all *semaphore.Weighted }

func (s *Server) newBodyRoom() bodyRoom {
	half := max(s.options.MaxBodiesBytes/2, s.options.MaxBodyBytes+1)
	return bodyRoom{route: semaphore.NewWeighted(half), all: s.bodyRoom}
}

func (r bodyRoom) tryAcquire(n int64) bool {
	if !r.route.TryAcquire(n) {
		return false
	}
	if !r.all.TryAcquire(n) {
		r.route.Release(n)
		return false
	}
	return true
}

func (r bodyRoom) release(n int64) {
	r.all.Release(n)
	r.route.Release(n)
}

// requestBody is what has arrived of a request's body. It takes its room as bytes arrive, whatever length the client claims:
// firstBodyBytes, or at most twice what is there.
type requestBody struct {
	bytes []byte
	room  bodyRoom
	taken int64
}

// take has the body hold n bytes of room in all.
func (b *requestBody) take(n int) error {
	more := int64(n) - b.taken
	if more <= 0 {
		return nil
	}
	if !b.room.tryAcquire(more) {
		return errNoRoom
	}
	b.taken += more
	return nil
}

// release gives the room back. The bytes must not be used any more.
func (b *requestBody) release() {
	b.bytes = nil
	b.room.release(b.taken)
	b.taken = 0
}

// readFrom reads to the end of r, which comes before size bytes. Like os.ReadFile, it needs one of them to see the end.
func (b *requestBody) readFrom(r io.Reader, size int64) error {
	b.bytes = make([]byte, 0, min(size, firstBodyBytes))
	for {
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if n > 0 {
			if err := b.take(cap(b.bytes)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.growIfFull(size); err != nil {
			return err
		}
	}
}

func (b *requestBody) growIfFull(size int64) error {
	if len(b.bytes) < cap(b.bytes) {
		return nil
	}
	capacity := int(min(2*int64(cap(b.bytes)), size))
	if err := b.take(capacity); err != nil {
		return err
	}
	larger := make([]byte, len(b.bytes), capacity)
	copy(larger, b.bytes)
	b.bytes = larger
	return nil
}

// readBody reads a request's body up to the limit; more is a *http.MaxBytesError.
func (h *routeHandler) readBody(c echo.Context, b *requestBody) error {
	r := c.Request()
	if r.ContentLength == 0 || r.Body == nil {
		return nil
	}
	limit := h.maxBodyBytes
	if r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	size := limit
	if r.ContentLength > 0 {
		size = r.ContentLength
	}
	err := b.readFrom(http.MaxBytesReader(c.Response(), r.Body, limit), size+1)
	if errors.Is(err, errNoRoom) {
		// net/http would read the rest of the body before it answers, or wait for it.
		c.Response().Header().Set("Connection", "close")
		return unavailable("too many large requests are in flight").WithCause(err)
	}
	if err != nil {
		return bodyError(r, err)
	}
	return nil
}

// bodyError says why a body could not be read: too large, too slow, its client gone, or not a body at all. A time-out
// ends the request's context too, and so comes first.
func bodyError(r *http.Request, err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return rpc.NewError(http.StatusRequestTimeout, "the body took too long to arrive").WithCause(err)
	case r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return r.Context().Err()
	default:
		return rpc.BadRequest("the body can't be read").WithCause(err)
	}
}
