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
	var headers map[string]any
	if r.Status != http.StatusOK || len(r.Header) > 0 {
		headers = map[string]any{headerStatus: int64(r.Status)}
		wireForm(nil).addLists("", r.Header).set(headers, headerHeaders)
	}
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

// decodeReply reads a reply. What is not there is as plain repliers mean it: the status is 200, the body is all. Errors
// wrap ErrMalformedReply.
func decodeReply(m *messaging.Message) (*Reply, error) {
	if err := checkVersion(m.Headers); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformedReply, err)
	}
	status, ok, err := getInteger(m.Headers, headerStatus)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformedReply, err)
	case !ok:
		status = http.StatusOK
	case !validStatus(status):
		return nil, fmt.Errorf("%w: %s is %d, not in 200 to 599", ErrMalformedReply, headerStatus, status)
	}
	r := &Reply{Status: int(status), ContentType: m.ContentType, Body: m.Body}
	err = readForm(m.Headers, headerHeaders, func(name, value string) { addHeader(&r.Header, name, value) })
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformedReply, err)
	}
	if m.ContentEncoding != "" {
		addHeader(&r.Header, "Content-Encoding", m.ContentEncoding)
	}
	return r, nil
}

// validStatus excludes 1xx, which HTTP sends before a reply and never as one.
func validStatus[T int | int64](status T) bool { return status >= 200 && status <= 599 }
