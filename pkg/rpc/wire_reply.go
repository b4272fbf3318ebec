package rpc

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/warren/pkg/messaging"
)

// ErrMalformedReply: a reply came and is not understood.
var ErrMalformedReply = errors.New("malformed reply")

// encodeReply returns the message that answers the request with the id. It is worth nothing after deadline.
func encodeReply(r *Reply, id, appID string, persistent bool, deadline, now time.Time) messaging.Message {
	headers := map[string]any{headerVersion: int64(wireVersion), headerStatus: int64(r.Status)}
	setLists(headers, headerHeaders, r.Header)
	return messaging.Message{
		Type:          typeReply,
		AppID:         appID,
		ContentType:   r.ContentType,
		CorrelationID: id,
		Headers:       headers,
		Body:          r.Body,
		Timestamp:     now,
		TTL:           ttlUntil(deadline, now),
		Persistent:    persistent,
	}
}

// decodeReply reads a reply. A message without version and status is a plain replier's: its body is the reply, its
// status 200. Errors wrap ErrMalformedReply.
func decodeReply(m messaging.Message) (*Reply, error) {
	r := &Reply{ContentType: m.ContentType, Body: m.Body}
	versioned, err := getVersion(m.Headers)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformedReply, err)
	}
	status, ok, err := getInteger(m.Headers, headerStatus)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformedReply, err)
	case !versioned && ok:
		return nil, fmt.Errorf("%w: %w", ErrMalformedReply, errNoVersion)
	case !versioned:
		r.Status = http.StatusOK
		if m.ContentEncoding != "" {
			r.Header = http.Header{"Content-Encoding": {m.ContentEncoding}}
		}
		return r, nil
	case !ok:
		return nil, fmt.Errorf("%w: %s is missing", ErrMalformedReply, headerStatus)
	case !validStatus(status):
		return nil, fmt.Errorf("%w: %s is %d, not in 200 to 599", ErrMalformedReply, headerStatus, status)
	}
	r.Status = int(status)
	if r.Header, err = getHeader(m.Headers); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformedReply, err)
	}
	return r, nil
}

// validStatus excludes 1xx, which HTTP sends before a reply and never as one.
func validStatus[T int | int64](status T) bool { return status >= 200 && status <= 599 }
