package http

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// errQuotaExceeded means that the bodies of the requests in flight have reached a bodyQuota.
var errQuotaExceeded = errors.New("quota of request bodies exceeded")

// bodyQuota bounds the bytes of request bodies: those of all routes by a semaphore, and those of one route by a
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

// requestBody reads a request's body. It takes quota for the bytes that arrive, whatever length the client announces.
type requestBody struct {
	io.Reader
	quota *bodyQuota
	held  int64
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if !b.quota.tryAcquire(int64(n)) {
		return 0, errQuotaExceeded
	}
	b.held += int64(n)
	return n, err
}

// release returns the quota. Call it once the bytes that were read are no longer used.
func (b *requestBody) release() { b.quota.release(b.held) }

// readBody reads a request's body.
func (h *routeHandler) readBody(r *http.Request, b *requestBody) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if coding := strings.Join(r.Header["Content-Encoding"], ","); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, problems.codingUnsupported
	}
	tooLarge := withDetail(problems.bodyTooLarge, "the body has more than %d bytes", h.maxBody)
	if r.ContentLength > h.maxBody {
		return nil, tooLarge
	}
	b.Reader = io.LimitReader(r.Body, h.maxBody+1)
	body, err := io.ReadAll(b)
	switch {
	case int64(len(body)) > h.maxBody:
		return nil, tooLarge
	case err == nil:
		return body, nil
	case errors.Is(err, errQuotaExceeded):
		return nil, problems.tooManyBodies.WithCause(err)
	case errors.Is(err, os.ErrDeadlineExceeded): // comes first: net/http then ends the request's context too
		return nil, problems.bodyTooSlow.WithCause(err)
	case r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, r.Context().Err()
	default:
		return nil, problems.bodyUnreadable.WithCause(err)
	}
}

// readRest reads what is left of the body of a refused request, and reports whether it came to its end within the limit. It
// does not ask for the body of a client that waits for "100 Continue".
func (s *Server) readRest(r *http.Request) bool {
	limit := s.config.MaxBodyBytes
	if r.ContentLength > limit || r.Header.Get("Expect") != "" {
		return false
	}
	_, err := io.CopyN(io.Discard, r.Body, limit+1)
	return errors.Is(err, io.EOF)
}
