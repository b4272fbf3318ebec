package console

import (
	"encoding/hex"
	"math"
	"strings"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"example.com/warren/pkg/telemetry"
)

// Limits of one span. What is longer is cut.
const (
	maxName       = 256  // bytes of a name
	maxText       = 4096 // bytes of another text
	maxAttributes = 64
	maxEvents     = 32
	maxDepth      = 3       // of lists in lists
	maxInteger    = 1 << 53 // JavaScript has no larger ones
	spanSize      = 512     // about what a span takes beside its texts
	entrySize     = 96      // about what an attribute takes beside its texts
)

type (
	traceID [16]byte
	spanID  [8]byte
)

func (id traceID) String() string { return hex.EncodeToString(id[:]) }

func (id spanID) String() string {
	if id == (spanID{}) {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// span is one step of a trace.
type span struct {
	trace      traceID
	id, parent spanID
	service    string
	name       string
	kind       string
	start, end int64  // Unix time in nanoseconds
	status     string // ok, error or unset
	message    string // of an error
	attributes map[string]any
	events     []event
	size       int // about how many bytes it takes
}

// event is something that happened during a span.
type event struct {
	name       string
	time       int64
	attributes map[string]any
}

var kinds = map[tracepb.Span_SpanKind]string{
	tracepb.Span_SPAN_KIND_INTERNAL: "internal",
	tracepb.Span_SPAN_KIND_SERVER:   "server",
	tracepb.Span_SPAN_KIND_CLIENT:   "client",
	tracepb.Span_SPAN_KIND_PRODUCER: "producer",
	tracepb.Span_SPAN_KIND_CONSUMER: "consumer",
}

var statuses = map[tracepb.Status_StatusCode]string{
	tracepb.Status_STATUS_CODE_OK:    "ok",
	tracepb.Status_STATUS_CODE_ERROR: "error",
}

// newSpan returns a decoded span with everything in it bounded. An ID of the wrong length is zero.
func newSpan(service string, decoded *tracepb.Span) *span {
	s := &span{
		service: service,
		name:    cut(decoded.GetName(), maxName),
		kind:    kinds[decoded.GetKind()],
		start:   nanoseconds(decoded.GetStartTimeUnixNano()),
		status:  statuses[decoded.GetStatus().GetCode()],
		message: cut(decoded.GetStatus().GetMessage(), maxText),
	}
	s.end = max(s.start, nanoseconds(decoded.GetEndTimeUnixNano()))
	setID(s.trace[:], decoded.GetTraceId())
	setID(s.id[:], decoded.GetSpanId())
	setID(s.parent[:], decoded.GetParentSpanId())
	if s.kind == "" {
		s.kind = "internal"
	}
	if s.status == "" {
		s.status = "unset"
	}
	s.attributes, s.size = attributesOf(decoded.GetAttributes(), 0)
	s.size += spanSize + len(s.name) + len(s.message)
	events := decoded.GetEvents()
	for _, e := range events[:min(len(events), maxEvents)] {
		attributes, size := attributesOf(e.GetAttributes(), 0)
		added := event{name: cut(e.GetName(), maxName), time: nanoseconds(e.GetTimeUnixNano()), attributes: attributes}
		s.events = append(s.events, added)
		s.size += entrySize + len(added.name) + size
	}
	return s
}

func setID(id, value []byte) {
	if len(value) == len(id) {
		copy(id, value)
	}
}

func nanoseconds(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// cut returns the first bytes of s, and keeps no longer text in memory.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:limit], "") + "…")
}

// text returns an attribute that is a string, or "".
func (s *span) text(name string) string {
	text, _ := s.attributes[name].(string)
	return text
}

// number returns an attribute that is a number, or 0.
func (s *span) number(name string) (value float64, ok bool) {
	switch n := s.attributes[name].(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	default:
		return 0, false
	}
}

// duration returns how long the span took, in milliseconds.
func (s *span) duration() float64 { return milliseconds(s.end - s.start) }

func milliseconds(nanoseconds int64) float64 { return float64(nanoseconds) / 1e6 }

// Names of attributes.
const (
	httpMethodKey  = string(telemetry.HTTPRequestMethod)
	httpRouteKey   = string(telemetry.HTTPRoute)
	httpStatusKey  = string(telemetry.HTTPResponseStatusCode)
	pathKey        = string(telemetry.URLPath)
	correlationKey = string(telemetry.ConversationID)
	rpcMethodKey   = string(telemetry.RPCMethod)
	rpcStatusKey   = string(telemetry.RPCResponseStatusCode)
	destinationKey = string(telemetry.MessagingDestination)
	queueWaitKey   = string(telemetry.QueueWait)

	// Of other instrumentations. A message to the default exchange has the queue as its routing key.
	routingKey    = "messaging.rabbitmq.destination.routing_key"
	oldRoutingKey = "messaging.rabbitmq.routing_key"
	dbSystemKey   = "db.system.name"
	oldDBKey      = "db.system"
)
