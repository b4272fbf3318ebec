package rpc

import (
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
)

const (
	contentTypeJSON    = "application/json"
	contentTypeProblem = "application/problem+json"
)

// reasonPrefix and an error's reason make the problem's type, a URI that identifies and need not resolve.
const reasonPrefix = "urn:problem-type:"

// problem is an error on the wire. https://www.rfc-editor.org/rfc/rfc9457
type problem struct {
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Status        int          `json:"status"`
	Detail        string       `json:"detail,omitempty"`
	CorrelationID string       `json:"correlation_id,omitempty"`
	Errors        []FieldError `json:"errors,omitempty"`
}

// Reply returns e as problem+json (RFC 9457) about the request with the id.
func (e *Error) Reply(correlationID string) *Reply {
	// A struct of strings and an int always marshals.
	body, _ := json.Marshal(problem{
		Type:          problemType(cmp.Or(e.Reason, defaultReason(e.Status))),
		Title:         http.StatusText(e.Status),
		Status:        e.Status,
		Detail:        e.Detail,
		CorrelationID: correlationID,
		Errors:        e.Fields,
	})
	return &Reply{Status: e.Status, Header: e.Header.Clone(), ContentType: contentTypeProblem, Body: body}
}

// problemType returns about:blank for no reason: RFC 9457 has it for problems that their status describes.
func problemType(reason string) string {
	if reason == "" {
		return "about:blank"
	}
	return reasonPrefix + reason
}

// replyError returns the error that a reply of status 400 and above describes. Of a body that is not a problem only
// the status is known.
func replyError(r *Reply) *Error {
	e := NewError(r.Status, "%s", http.StatusText(r.Status))
	e.Header = r.Header
	if mediaType(r.ContentType) != contentTypeProblem {
		return e
	}
	var p problem
	if err := json.Unmarshal(r.Body, &p); err != nil {
		return e
	}
	e.Fields = p.Errors
	if reason, ok := strings.CutPrefix(p.Type, reasonPrefix); ok && reason != "" {
		e.Reason = reason
	}
	switch {
	case p.Detail != "":
		e.Detail = p.Detail
	case p.Title != "":
		e.Detail = p.Title
	}
	return e
}

// mediaType returns "" for a content type that can't be parsed.
func mediaType(contentType string) string {
	if contentType == contentTypeJSON || contentType == contentTypeProblem {
		return contentType
	}
	parsed, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return parsed
}

// isJSON takes a missing content type for JSON, since plain AMQP clients rarely set one.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	parsed := mediaType(contentType)
	return parsed == contentTypeJSON || strings.HasSuffix(parsed, "+json")
}
