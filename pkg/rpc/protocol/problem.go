package protocol

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
)

// problem is an error on the wire (RFC 9457).
type problem struct {
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Status        int          `json:"status"`
	Detail        string       `json:"detail,omitempty"`
	CorrelationID string       `json:"correlation_id,omitempty"`
	Errors        []FieldError `json:"errors,omitempty"`
}

const (
	// problemPrefix and a reason make a problem's type, a URI that identifies and does not resolve.
	problemPrefix = "urn:problem-type:"
	// problemBlank is the type of problems that their status describes (RFC 9457, section 4.2.1).
	problemBlank = "about:blank"
)

// Reply returns e as problem+json about the request with the correlation ID.
func (e *Error) Reply(correlationID string) *Reply {
	p := problem{
		Type:          problemBlank,
		Title:         http.StatusText(e.Status),
		Status:        e.Status,
		Detail:        e.Detail,
		CorrelationID: correlationID,
		Errors:        e.Fields,
	}
	if reason := cmp.Or(e.Reason, defaultReason(e.Status)); reason != "" {
		p.Type = problemPrefix + reason
	}
	body, _ := json.Marshal(p) // strings and an integer always marshal
	return &Reply{Status: e.Status, Header: e.Header.Clone(), ContentType: contentTypeProblem, Body: body}
}

// Err returns the error that a reply of status 400 and above describes, as a *[Error], and nil for other replies. If the
// body is no problem+json, only the status is known.
func (r *Reply) Err() error {
	if r.Status < http.StatusBadRequest {
		return nil
	}
	e := NewError(r.Status, "%s", http.StatusText(r.Status))
	e.Header = r.Header
	var p problem
	if mediaType(r.ContentType) != contentTypeProblem || json.Unmarshal(r.Body, &p) != nil {
		return e
	}
	e.Fields = p.Errors
	e.Detail = cmp.Or(p.Detail, p.Title, e.Detail)
	if reason, ok := strings.CutPrefix(p.Type, problemPrefix); ok {
		e.Reason = cmp.Or(reason, e.Reason)
	}
	return e
}
