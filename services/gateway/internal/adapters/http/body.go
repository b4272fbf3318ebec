package http

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"
)

// firstBodyBytes is the size of the first buffer of a body whose length is larger or not known.
const firstBodyBytes = 1 << 10

// errQuotaExceeded reports that the bodies of the requests in flight take all the memory that they may take.
var errQuotaExceeded = errors.New("quota of request bodies exceeded")

// bodyQuota bounds the memory of request bodies, in bytes: those of all routes by a semaphore, and those of one route by a
// share of it, so that uploads to a service that hangs leave memory for the other routes.
type bodyQuota struct {
	all   *semaphore.Weighted // shared with the other routes
	share int64
	used  atomic.Int64 // by this route
}

// newBodyQuota returns the quota of one route: half of the whole, but enough for one body of the largest size.
func (s *Server) newBodyQuota() *bodyQuota {
	return &bodyQuota{all: s.bodies, share: max(s.config.MaxBodiesBytes/2, s.config.MaxBodyBytes+1)}
}

// tryAcquire takes n bytes, or none. While it refuses a large body, it may also refuse a smaller one that would fit.
func (q *bodyQuota) tryAcquire(n int64) bool {
	if q.used.Add(n) <= q.share && q.all.TryAcquire(n) {
		return true
	}
	q.used.Add(-n)
	return false
}

func (q *bodyQuota) release(n int64) {
	q.all.Release(n)
	q.used.Add(-n)
}

// requestBody is the part of a request's body that has arrived. It takes quota as bytes arrive, whatever length the client
// announces: firstBodyBytes, or at most twice the bytes that are there.
type requestBody struct {
	bytes []byte
	quota *bodyQuota
	held  int64
}

// hold raises the quota that the body holds to n bytes.
func (b *requestBody) hold(n int) error {
	more := int64(n) - b.held
	if more <= 0 {
		return nil
	}
	if !b.quota.tryAcquire(more) {
		return errQuotaExceeded
	}
	b.held += more
	return nil
}

// release returns the quota. The bytes must not be used afterwards.
func (b *requestBody) release() {
	b.bytes = nil
	b.quota.release(b.held)
	b.held = 0
}

// readFrom reads r to its end, which must come before size bytes: like os.ReadFile, it needs a spare byte to see the end.
func (b *requestBody) readFrom(r io.Reader, size int64) error {
	b.bytes = make([]byte, 0, min(size, firstBodyBytes))
	for {
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		capacity := cap(b.bytes)
		if err == nil && len(b.bytes) == capacity {
			capacity = int(min(2*int64(capacity), size))
		}
		if n > 0 {
			if err := b.hold(capacity); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if capacity > cap(b.bytes) {
			b.bytes = append(make([]byte, 0, capacity), b.bytes...)
		}
	}
}

// readBody reads a request's body. A body over the limit is a *http.MaxBytesError.
func (h *routeHandler) readBody(c echo.Context, b *requestBody) error {
	r, limit := c.Request(), h.server.config.MaxBodyBytes
	if r.ContentLength == 0 || r.Body == nil {
		return nil
	}
	if r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	size := limit
	if r.ContentLength > 0 {
		size = r.ContentLength
	}
	err := b.readFrom(http.MaxBytesReader(c.Response(), r.Body, limit), size+1)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || errors.As(err, &tooLarge):
		return err
	case errors.Is(err, errQuotaExceeded):
		// Without it, net/http would read the rest of the body before it sends the response.
		c.Response().Header().Set(echo.HeaderConnection, "close")
		return problems.tooManyBodies.WithCause(err)
	case errors.Is(err, os.ErrDeadlineExceeded): // comes first: net/http then ends the request's context too
		return problems.bodyTooSlow.WithCause(err)
	case r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return r.Context().Err()
	default:
		return problems.bodyUnreadable.WithCause(err)
	}
}
