package protocol

import (
	"strings"
	"time"

	"example.com/warren/pkg/messaging"
)

// The HTTP headers that name a trace and the place of a request in it (https://www.w3.org/TR/trace-context/). In a message
// they are headers of the message, where the AMQP instrumentations of OpenTelemetry write and look for them.
const (
	httpTraceparent = "Traceparent"
	httpTracestate  = "Tracestate"
)

// encodeTrace writes the trace that header names. The receiver of a sampled trace learns when the request was sent, to the
// millisecond: the message's timestamp has seconds. Several traceparents name no trace.
func encodeTrace(header map[string][]string, now time.Time, headers map[string]any) {
	parents := header[httpTraceparent]
	if len(parents) != 1 {
		return
	}
	headers[headerTraceparent] = parents[0]
	if state := header[httpTracestate]; len(state) > 0 {
		headers[headerTracestate] = strings.Join(state, ",")
	}
	if isSampled(parents[0]) {
		headers[headerSentAt] = now.UnixMilli()
	}
}

// isSampled reports whether a traceparent has the flag that its sender may have recorded the trace: the lowest bit of the last
// of the hexadecimal digits that end it.
func isSampled(traceparent string) bool {
	const length = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	return len(traceparent) >= length && strings.IndexByte("13579bdf", traceparent[length-1]) >= 0
}

// decodeTrace reads the trace that the headers of a message name. Without one, the HTTP headers count, as older callers send
// them.
func (r *Request) decodeTrace(headers map[string]any) {
	parent, ok := headers[headerTraceparent].(string)
	state, hasState := headers[headerTracestate].(string)
	if parents := r.Header[httpTraceparent]; !ok && len(parents) == 1 {
		parent, ok = parents[0], true
		state, hasState = strings.Join(r.Header[httpTracestate], ","), r.Header[httpTracestate] != nil
	}
	delete(r.Header, httpTraceparent)
	delete(r.Header, httpTracestate)
	if ok {
		addHeader(&r.Header, httpTraceparent, parent)
	}
	if ok && hasState {
		addHeader(&r.Header, httpTracestate, state)
	}
}

// SentAt returns when a message was sent, to the millisecond, or the zero time if it does not say so. Senders of sampled traces
// say so, and brokers with RabbitMQ's message interceptor for timestamps.
func SentAt(m messaging.Message) time.Time {
	if ms, ok, err := getInteger(m.Headers, headerSentAt); ok && err == nil {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}
