package console

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Limits of what a program may send. A span is decoded by itself, after the sampler has seen its trace ID: a body full of
// empty spans would otherwise take a hundred times its size.
const (
	maxBody    = 8 << 20  // bytes, after decompression
	maxSpan    = 64 << 10 // bytes, encoded
	maxObjects = 1 << 17  // in JSON, which is decoded as a whole
)

const (
	tracesPath   = "/v1/traces"
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// receive implements the path /v1/traces of OTLP/HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp.
func (c *Console) receive(w http.ResponseWriter, r *http.Request) {
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err := c.take(w, r, contentType); err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	if contentType == jsonType {
		_, _ = io.WriteString(w, "{}") // in protobuf, an empty message has no bytes
	}
}

// take stores the spans of a request.
func (c *Console) take(w http.ResponseWriter, r *http.Request, contentType string) error {
	decode, ok := map[string]func([]byte) error{protobufType: c.store.takeProto, jsonType: c.store.takeJSON}[contentType]
	if !ok {
		return fail(http.StatusUnsupportedMediaType, "want %s or %s", protobufType, jsonType)
	}
	select {
	case c.decodes <- struct{}{}:
		defer func() { <-c.decodes }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	body, err := readBody(w, r)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return fail(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", maxBody)
	}
	if err == nil {
		err = decode(body)
	}
	if err != nil && !errors.As(err, new(apiError)) {
		return fail(http.StatusBadRequest, "%v", err)
	}
	return err
}

// readBody returns the decompressed body. Its error is a *http.MaxBytesError if that is too large.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body := http.MaxBytesReader(w, r.Body, maxBody)
	switch coding := r.Header.Get("Content-Encoding"); coding {
	case "", "identity":
	case "gzip":
		plain, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("decompress the body: %w", err)
		}
		body = http.MaxBytesReader(nil, plain, maxBody)
	default:
		return nil, fail(http.StatusUnsupportedMediaType, "the console has no content coding %q", coding)
	}
	return io.ReadAll(body)
}

// takeProto stores the spans of an ExportTraceServiceRequest. The numbers are those of its fields.
func (s *store) takeProto(body []byte) error {
	return eachField(body, 1, func(resourceSpans []byte) error {
		var resource resourcepb.Resource
		if err := eachField(resourceSpans, 1, func(b []byte) error { return unmarshal(b, &resource) }); err != nil {
			return err
		}
		service := serviceOf(&resource)
		return eachField(resourceSpans, 2, func(scopeSpans []byte) error {
			return eachField(scopeSpans, 2, func(b []byte) error {
				var id string
				if err := eachField(b, 1, func(v []byte) error { id = idOf(v, traceIDSize); return nil }); err != nil {
					return err
				}
				if !s.admit(id) {
					return nil
				}
				var decoded tracepb.Span
				if err := unmarshal(b, &decoded); err != nil {
					return err
				}
				s.add(newSpan(service, &decoded))
				return nil
			})
		})
	})
}

// eachField calls f with each field of a protobuf message that has this number and is a message or bytes.
func eachField(message []byte, number protowire.Number, f func([]byte) error) error {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(n, kind, message); size < 0 {
			return protowire.ParseError(size)
		}
		if n == number && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message) // was consumed already
			if err := f(value); err != nil {
				return err
			}
		}
		message = message[size:]
	}
	return nil
}

// unmarshal decodes one message, which must be small.
func unmarshal(b []byte, m proto.Message) error {
	if len(b) > maxSpan {
		return fmt.Errorf("a span or resource has %d bytes, more than %d", len(b), maxSpan)
	}
	return proto.Unmarshal(b, m)
}

// takeJSON is takeProto for the JSON form.
func (s *store) takeJSON(body []byte) error {
	if bytes.Count(body, []byte("{")) > maxObjects {
		return fmt.Errorf("the body has more than %d objects", maxObjects)
	}
	var request tracepb.TracesData
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &request); err != nil {
		return err
	}
	for _, r := range request.GetResourceSpans() {
		for _, scope := range r.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				s.TraceId, s.SpanId, s.ParentSpanId = fromHex(s.GetTraceId()), fromHex(s.GetSpanId()), fromHex(s.GetParentSpanId())
			}
		}
	}
	encoded, err := proto.Marshal(&request)
	if err != nil {
		return err
	}
	return s.takeProto(encoded)
}

// fromHex undoes protojson's base64: OTLP has IDs in hex, and protobuf has bytes in base64. The lengths are multiples of four,
// so that nothing is lost. It returns nil for what is no ID.
func fromHex(b []byte) []byte {
	id, _ := hex.DecodeString(base64.StdEncoding.EncodeToString(b))
	return id
}

func serviceOf(r *resourcepb.Resource) string {
	for _, a := range r.GetAttributes() {
		if a.GetKey() == "service.name" {
			return cut(a.GetValue().GetStringValue(), maxName)
		}
	}
	return "unknown_service"
}

// attributesOf returns attributes as JSON can have them, and about how many bytes they take.
func attributesOf(list []*commonpb.KeyValue, depth int) (attributes map[string]any, size int) {
	attributes = make(map[string]any, min(len(list), maxAttributes))
	for _, a := range list[:min(len(list), maxAttributes)] {
		key := cut(a.GetKey(), maxName)
		value, n := valueOf(a.GetValue(), depth)
		attributes[key] = value
		size += entrySize + len(key) + n
	}
	return attributes, size
}

func valueOf(v *commonpb.AnyValue, depth int) (value any, size int) {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		s := cut(v.StringValue, maxText)
		return s, len(s)
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue, 0
	case *commonpb.AnyValue_IntValue:
		if v.IntValue > maxInteger || v.IntValue < -maxInteger {
			return fmt.Sprint(v.IntValue), 0
		}
		return v.IntValue, 0
	case *commonpb.AnyValue_DoubleValue:
		if d := v.DoubleValue; d-d == 0 {
			return d, 0
		}
		return fmt.Sprint(v.DoubleValue), 0 // JSON has no NaN and no infinity
	case *commonpb.AnyValue_BytesValue:
		s := cut(hex.EncodeToString(v.BytesValue[:min(len(v.BytesValue), maxText)]), maxText)
		return s, len(s)
	}
	if depth == maxDepth {
		return "…", 0
	}
	if list := v.GetKvlistValue(); list != nil {
		return attributesOf(list.GetValues(), depth+1)
	}
	values := v.GetArrayValue().GetValues()
	values = values[:min(len(values), maxAttributes)]
	out := make([]any, len(values))
	for i, v := range values {
		var n int
		out[i], n = valueOf(v, depth+1)
		size += entrySize + n
	}
	return out, size
}
