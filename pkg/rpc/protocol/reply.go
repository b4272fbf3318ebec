package protocol

import (
	"errors"
	"fmt"
	"net/http"

	"example.com/warren/pkg/messaging"
)

// Reply is the response to a [Request].
type Reply struct {
	Status      int // HTTP's
	Header      http.Header
	ContentType string
	Body        []byte
}

// ErrMalformedReply means that a reply arrived and can't be decoded.
var ErrMalformedReply = errors.New("malformed reply")

// Reply returns the message that carries the reply to a request, whose message had the secret as its correlation ID. It does
// not expire: a caller that no longer waits drops it.
func (e Encoder) Reply(r *Reply, to *Request, secret string) messaging.Message {
	var headers map[string]any
	if r.Status != http.StatusOK || len(r.Header) > 0 {
		headers = map[string]any{headerStatus: int64(r.Status)}
		form(nil).addLists("", r.Header).set(headers, headerHeaders)
	}
	return messaging.Message{
		ID:            to.ID,
		AppID:         e.AppID,
		ContentType:   r.ContentType,
		CorrelationID: secret,
		Headers:       headers,
		Body:          r.Body,
		Persistent:    e.Persistent,
	}
}

// DecodeReply reads a reply. Without headers, as plain clients reply, the status is 200. Its errors wrap
// ErrMalformedReply.
func DecodeReply(m *messaging.Message) (*Reply, error) {
	r := &Reply{Status: http.StatusOK, ContentType: m.ContentType, Body: m.Body}
	if err := r.readHeaders(m.Headers); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformedReply, err)
	}
	if m.ContentEncoding != "" {
		addHeader(&r.Header, "Content-Encoding", m.ContentEncoding)
	}
	return r, nil
}

func (r *Reply) readHeaders(headers map[string]any) error {
	if err := checkVersion(headers); err != nil {
		return err
	}
	status, ok, err := getInteger(headers, headerStatus)
	switch {
	case err != nil:
		return err
	case ok && !ValidStatus(status):
		return fmt.Errorf("%s is %d, not in 200 to 599", headerStatus, status)
	case ok:
		r.Status = int(status)
	}
	return readForm(headers, headerHeaders, func(name, value string) { addHeader(&r.Header, name, value) })
}
