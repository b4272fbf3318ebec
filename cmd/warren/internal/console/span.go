package console

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
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

// span is one step of a trace. What the page is told about it has names in JSON.
type span struct {
	trace      string
	start, end int64 // Unix time in nanoseconds
	events     []event
	size       int // about how many bytes it takes

	ID         string         `json:"span_id"`
	Parent     string         `json:"parent_id"` // "": none
	Service    string         `json:"service"`
	Name       string         `json:"name"`
	Kind       string         `json:"kind"`
	Status     string         `json:"status"`  // ok, error or unset
	Message    string         `json:"message"` // of an error
	Attributes map[string]any `json:"attributes"`
}

// event is something that happened during a span.
type event struct {
	time int64

	Name       string         `json:"name"`
	Attributes map[string]any `json:"attributes"`
}

// Names of the numbers of OTLP. The first is that of a number which is unknown.
var (
	kinds    = []string{"internal", "internal", "server", "client", "producer", "consumer"}
	statuses = []string{"unset", "ok", "error"}
)

func nameOf(names []string, number int32) string {
	if number < 0 || int(number) >= len(names) {
		return names[0]
	}
	return names[number]
}

// newSpan returns a decoded span with everything in it bounded.
func newSpan(service string, decoded *tracepb.Span) *span {
	s := &span{
		trace:   idOf(decoded.GetTraceId(), traceIDSize),
		start:   nanoseconds(decoded.GetStartTimeUnixNano()),
		ID:      idOf(decoded.GetSpanId(), spanIDSize),
		Parent:  idOf(decoded.GetParentSpanId(), spanIDSize),
		Service: service,
		Name:    cut(decoded.GetName(), maxName),
		Kind:    nameOf(kinds, int32(decoded.GetKind())),
		Status:  nameOf(statuses, int32(decoded.GetStatus().GetCode())),
		Message: cut(decoded.GetStatus().GetMessage(), maxText),
	}
	s.end = max(s.start, nanoseconds(decoded.GetEndTimeUnixNano()))
	s.Attributes, s.size = attributesOf(decoded.GetAttributes(), 0)
	s.size += spanSize + len(s.Name) + len(s.Message)
	events := decoded.GetEvents()
	for _, e := range events[:min(len(events), maxEvents)] {
		attributes, size := attributesOf(e.GetAttributes(), 0)
		added := event{time: nanoseconds(e.GetTimeUnixNano()), Name: cut(e.GetName(), maxName), Attributes: attributes}
		s.events = append(s.events, added)
		s.size += entrySize + len(added.Name) + size
	}
	return s
}

// Bytes of IDs before they are written in hex.
const (
	traceIDSize = 16
	spanIDSize  = 8
)

// idOf returns an ID in hex, or "" if it has not that size.
func idOf(b []byte, size int) string {
	if len(b) != size {
		return ""
	}
	return hex.EncodeToString(b)
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
func (s *span) text(key attribute.Key) string {
	text, _ := s.Attributes[string(key)].(string)
	return text
}

// number returns an attribute that is a number, or 0.
func (s *span) number(key attribute.Key) (value float64, ok bool) {
	switch n := s.Attributes[string(key)].(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	default:
		return 0, false
	}
}

// status returns the status of HTTP or of a call, or 0.
func (s *span) status() int {
	if status, ok := s.number(telemetry.HTTPResponseStatusCode); ok {
		return int(status)
	}
	status, _ := strconv.Atoi(s.text(telemetry.RPCResponseStatusCode)) // 0 if it is missing
	return status
}

// isRefusal reports whether a service has refused a request for the caller's fault. It works as it should.
func (s *span) isRefusal() bool { return s.status()/100 == 4 }

func (s *span) failed() bool { return s.Status == "error" && !s.isRefusal() }

// duration returns how long the span took, in milliseconds.
func (s *span) duration() float64 { return milliseconds(s.end - s.start) }

func milliseconds(nanoseconds int64) float64 { return float64(nanoseconds) / 1e6 }
