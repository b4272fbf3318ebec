package protocol

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/warren/pkg/messaging"
)

// Request is one call of a method.
type Request struct {
	Queue string // of the method, e.g. "orders.get"

	// ID is the call's own, a UUID; the client makes one if it is empty. A request that arrives twice has the same ID.
	ID string
	// CorrelationID is common to a request at the gateway and to all calls that follow from it. If it is empty, the client
	// takes that of the context, see [example.com/warren/pkg/rpc.WithCorrelationID], or else the ID.
	CorrelationID string

	// Method, Path, Route, Params, Query and Header describe the HTTP request behind the call. Calls from service to
	// service may leave them empty.
	Method string // "GET"
	Path   string // "/v1/orders/42"
	Route  string // "/v1/orders/:id"
	Params map[string]string
	Query  url.Values
	Header http.Header

	// Identity is the caller, from a token that the gateway had checked. nil: the route is public, and the caller unknown.
	// Nothing that a client of the gateway sends reaches this field.
	Identity *Identity

	ContentType string
	Body        []byte

	// Deadline is when the caller stops waiting. A server drops a request past it.
	Deadline time.Time

	// Idempotent tells the client that handling the request twice has the effect of handling it once (RFC 9110, section
	// 9.2.2), so that it may send the request again when the connection was lost. The route or the calling service decides
	// this, never a client of the gateway, which could multiply its requests. It is not part of the message.
	Idempotent bool
}

// The names in the form of headerRequest.
const (
	requestMethod = "method"
	requestPath   = "path"
	requestRoute  = "route"
	// Each of these comes before the name of a value.
	requestParam  = "param."
	requestQuery  = "query."
	requestHeader = "header."
)

// Request returns the message that carries r. Its reply must repeat the secret, so that no other message is taken for the reply.
func (e Encoder) Request(r *Request, secret string, now time.Time) messaging.Message {
	headers := make(map[string]any, 3)
	if r.CorrelationID != "" && r.CorrelationID != r.ID {
		headers[headerCorrelationID] = r.CorrelationID
	}
	encodeHTTP(make(form, 0, 512), r).set(headers, headerRequest)
	if r.Header[httpTraceparent] != nil {
		encodeTrace(r.Header, now, headers)
	}
	switch i := r.Identity; {
	case i == nil:
	case i.Assertion != "":
		headers[headerIdentity] = i.Assertion
	default:
		encodeIdentity(i).set(headers, headerIdentity)
	}
	if !r.Deadline.IsZero() {
		headers[headerDeadline] = r.Deadline.UnixMilli()
	}
	return messaging.Message{
		ID:            r.ID,
		ContentType:   r.ContentType,
		CorrelationID: secret,
		ReplyTo:       e.ReplyTo,
		Headers:       headers,
		Body:          r.Body,
		Timestamp:     now,
		TTL:           ttlUntil(r.Deadline, now),
		Persistent:    e.Persistent,
	}
}

// encodeHTTP appends the fields that describe the HTTP request behind r.
func encodeHTTP(f form, r *Request) form {
	f = f.addIf(requestMethod, r.Method).addIf(requestPath, r.Path).addIf(requestRoute, r.Route)
	for _, name := range sortedKeys(make([]string, 0, 8), r.Params) {
		f = f.add(requestParam+name, r.Params[name])
	}
	f = f.addLists(requestQuery, r.Query)
	for _, name := range sortedKeys(make([]string, 0, 16), r.Header) {
		if name == httpTraceparent || name == httpTracestate {
			continue // see encodeTrace
		}
		for _, value := range r.Header[name] {
			f = f.add(requestHeader+name, value)
		}
	}
	return f
}

// DecodeRequest reads a request that arrived on queue. Fields without a header are empty: the request of a plain client has
// a body, and neither identity nor deadline. Its ID is the message's correlation ID if the message has none of its own.
func DecodeRequest(queue string, m messaging.Message) (*Request, error) {
	r := &Request{Queue: queue, ID: cmp.Or(m.ID, m.CorrelationID), ContentType: m.ContentType, Body: m.Body}
	if err := checkVersion(m.Headers); err != nil {
		return nil, err
	}
	var err error
	if r.CorrelationID, err = decodeCorrelationID(m.Headers, r.ID); err != nil {
		return nil, err
	}
	if err := readForm(m.Headers, headerRequest, r.readHTTP); err != nil {
		return nil, err
	}
	r.decodeTrace(m.Headers)
	// Many AMQP clients name the character set in content_encoding.
	if coding := strings.ToLower(m.ContentEncoding); !isUTF8(coding) && coding != "binary" {
		addHeader(&r.Header, "Content-Encoding", m.ContentEncoding)
	}
	if r.Identity, err = decodeIdentity(m.Headers); err != nil {
		return nil, err
	}
	r.Deadline, err = decodeDeadline(m.Headers)
	return r, err
}

// readHTTP reads one field of what encodeHTTP writes.
func (r *Request) readHTTP(name, value string) {
	dot := strings.IndexByte(name, '.') + 1
	switch prefix, key := name[:dot], name[dot:]; {
	case name == requestMethod:
		r.Method = value
	case name == requestPath:
		r.Path = value
	case name == requestRoute:
		r.Route = value
	case prefix == requestParam:
		if r.Params == nil {
			r.Params = map[string]string{}
		}
		r.Params[key] = value
	case prefix == requestQuery:
		if r.Query == nil {
			r.Query = url.Values{}
		}
		r.Query.Add(key, value)
	case prefix == requestHeader:
		addHeader(&r.Header, key, value)
	}
}

// decodeCorrelationID bounds the correlation ID, since it goes into logs and into other messages.
func decodeCorrelationID(headers map[string]any, id string) (string, error) {
	value, ok := headers[headerCorrelationID]
	if !ok {
		return id, nil
	}
	s, ok := value.(string)
	if !ok || s == "" || len(s) > messaging.MaxHeaderNameBytes {
		return "", fmt.Errorf("%s is not a string of 1 to %d bytes", headerCorrelationID, messaging.MaxHeaderNameBytes)
	}
	return s, nil
}

func decodeDeadline(headers map[string]any) (time.Time, error) {
	ms, ok, err := getInteger(headers, headerDeadline)
	if !ok || err != nil {
		return time.Time{}, err
	}
	if ms <= 0 {
		return time.Time{}, fmt.Errorf("%s is %d, not after 1970", headerDeadline, ms)
	}
	return time.UnixMilli(ms), nil
}

// Replay returns the message that makes a service handle a request once more, whose caller no longer waits. The message has
// neither a deadline nor a queue to reply to. It keeps the ID, which makes a request idempotent, and the identity. The
// service refuses an identity that has expired since; see ServerOptions.IdentityLeeway of package rpc. Replay returns other
// messages as they are.
func Replay(m messaging.Message) messaging.Message {
	if !IsRequest(m) {
		return m
	}
	m.Headers = maps.Clone(m.Headers)
	delete(m.Headers, headerDeadline)
	m.TTL = 0
	m.ReplyTo = ""
	return m
}
