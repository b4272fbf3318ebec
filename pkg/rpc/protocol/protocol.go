// Package protocol defines the messages of remote procedure calls: what is in a [Request], a [Reply] and an [Error], and
// how they are encoded in the properties, headers and body of a [messaging.Message]. PROTOCOL.md, next to this file,
// describes the bytes for services in other languages; its golden files are in testdata.
//
// Services use package rpc, which makes calls and has aliases of the types. This package is for tools that read or
// write single messages.
//
// # Requests and replies
//
// An [Encoder] makes the messages of one process; [DecodeRequest] and [DecodeReply] read them. Both decoders accept
// messages of plain AMQP clients, which have a body and no headers.
//
// # Errors
//
// [Error.Reply] makes a problem of an error (RFC 9457), and [Reply.Err] makes an error of a problem. An error's reason
// identifies it to programs.
//
// # Dead-lettered requests
//
// [Replay] makes a message that a service handles of one that was dead-lettered.
package protocol

import (
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"example.com/warren/pkg/messaging"
)

// The names and values on the wire. PROTOCOL.md says what they mean.
const (
	version = 1

	typeRequest = "rpc.request" // requests of earlier versions have it

	headerVersion       = "rpc-version"
	headerRequest       = "rpc-request"
	headerIdentity      = "rpc-identity"
	headerDeadline      = "rpc-deadline"
	headerCorrelationID = "rpc-correlation-id"
	headerStatus        = "rpc-status"
	headerHeaders       = "rpc-headers"

	// The names that OpenTelemetry and RabbitMQ use.
	headerTraceparent = "traceparent"
	headerTracestate  = "tracestate"
	headerSentAt      = "timestamp_in_ms"

	contentTypeJSON    = "application/json"
	contentTypeProblem = "application/problem+json"
)

// Encoder makes the messages of one process.
type Encoder struct {
	AppID      string // the name of the service, for replies
	ReplyTo    string // the callback queue, for requests
	Persistent bool   // messages survive a restart of the broker
}

// IsRequest reports whether m is a request of an [Encoder]. It does not recognize the requests of plain clients, which
// have no headers.
func IsRequest(m messaging.Message) bool {
	if m.Type == typeRequest {
		return true
	}
	for _, name := range [...]string{headerDeadline, headerRequest, headerIdentity} {
		if _, ok := m.Headers[name]; ok {
			return true
		}
	}
	return false
}

// IsReply reports whether m, which this process has sent, is a reply of an [Encoder].
func IsReply(m messaging.Message) bool {
	return m.AppID != "" && m.CorrelationID != "" && m.ReplyTo == ""
}

// ValidStatus reports whether a reply can have the status. 1xx is not valid, since HTTP sends it before a response and
// never as one.
func ValidStatus[T int | int64](status T) bool { return status >= 200 && status <= 599 }

// IsJSON reports whether a body of the content type is JSON in UTF-8 (RFC 8259, section 8.1). A missing content type counts as
// JSON, since plain AMQP clients rarely set one.
func IsJSON(contentType string) bool {
	if contentType == "" || contentType == contentTypeJSON {
		return true
	}
	parsed, params, err := mime.ParseMediaType(contentType)
	if err != nil || parsed != contentTypeJSON && !strings.HasSuffix(parsed, "+json") {
		return false
	}
	return isUTF8(params["charset"])
}

// isUTF8 reports whether a text in the charset is one in UTF-8. The default is UTF-8.
func isUTF8(charset string) bool {
	return slices.Contains([]string{"", "utf-8", "utf8", "us-ascii"}, strings.ToLower(charset))
}

// maxTTL bounds the TTL that a deadline far away leads to. RabbitMQ closes the channel over one beyond 2^32 ms.
// https://www.rabbitmq.com/docs/ttl
const maxTTL = 24 * time.Hour

// ttlUntil returns the TTL of a message that expires at deadline: at least a millisecond, since 0 means none.
func ttlUntil(deadline, now time.Time) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	return min(max(deadline.Sub(now).Truncate(time.Millisecond), time.Millisecond), maxTTL)
}

// getInteger reads a header that has any of AMQP's integer types. ok is false if there is no such header.
func getInteger(headers map[string]any, name string) (n int64, ok bool, err error) {
	value, ok := headers[name]
	if !ok {
		return 0, false, nil
	}
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		return v.Int(), true, nil
	case v.CanUint():
		return int64(v.Uint()), true, nil //nolint:gosec // AMQP has no unsigned 64-bit integers
	default:
		return 0, false, fmt.Errorf("%s is %T, not an integer", name, value)
	}
}

// addHeader adds a value to an HTTP header, whose names do not depend on case.
func addHeader(header *http.Header, name, value string) {
	if *header == nil {
		*header = http.Header{}
	}
	header.Add(name, value)
}

// checkVersion refuses messages of another version. Without a version they have this one.
func checkVersion(headers map[string]any) error {
	v, ok, err := getInteger(headers, headerVersion)
	if err != nil {
		return err
	}
	if ok && v != version {
		return fmt.Errorf("%s is %d, not %d", headerVersion, v, version)
	}
	return nil
}
