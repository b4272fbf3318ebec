package console

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/pkg/telemetry"
)

var brokerURL string

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run()) // fuzz targets need no broker, which each of their processes would start
	}
	goleak.VerifyTestMain(rabbitmqtest.Tests{M: m, URL: &brokerURL})
}

// client keeps no connection, which would outlive the console.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func start(t testing.TB, options Options) *Console {
	t.Helper()
	if options.Broker == nil {
		server := inmem.NewServer()
		connection := server.Connect()
		t.Cleanup(func() { _ = connection.Close(context.Background()) })
		options.Broker = &Broker{Kind: "inmem", Inspector: connection, Browse: func(context.Context) (deadletter.Browser, error) {
			return server.Browse(), nil
		}}
	}
	c, err := Start(t.Context(), "127.0.0.1:0", options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// response is a response with its body.
type response struct {
	status int
	header http.Header
	body   string
}

// send sends a request as the page does, unless headers say otherwise. An empty value removes a header.
func (c *Console) send(t *testing.T, method, path, body string, headers map[string]string) response {
	t.Helper()
	request, err := http.NewRequestWithContext(awaittest.Context(t), method, c.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method != http.MethodGet {
		request.Header.Set("Origin", c.URL())
	}
	for name, value := range headers {
		request.Header.Set(name, value)
		if value == "" {
			request.Header.Del(name)
		}
		if name == "Host" {
			request.Host = value
		}
	}
	got, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{got.StatusCode, got.Header, string(text)}
}

// get returns what a path of the API responds with.
func get[T any](t *testing.T, c *Console, path string) T {
	t.Helper()
	got := c.send(t, http.MethodGet, path, "", nil)
	var out T
	if err := json.Unmarshal([]byte(got.body), &out); err != nil || got.status != http.StatusOK {
		t.Fatalf("GET %s: %d %s, error %v", path, got.status, got.body, err)
	}
	return out
}

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
)

// step is a span of a test: its trace and its IDs are numbers.
type step struct {
	trace, id, parent byte
	service, name     string
	kind              tracepb.Span_SpanKind
	start, end        time.Duration // since epoch
	failed            string
	attributes        map[string]any
}

var epoch = time.Date(2026, time.May, 1, 2, 3, 4, 0, time.UTC)

func (s step) encode() *tracepb.Span {
	out := &tracepb.Span{
		TraceId: bytes.Repeat([]byte{s.trace}, 16), SpanId: bytes.Repeat([]byte{s.id}, 8), Name: s.name, Kind: s.kind,
		StartTimeUnixNano: uint64(epoch.Add(s.start).UnixNano()), EndTimeUnixNano: uint64(epoch.Add(s.end).UnixNano()),
	}
	if s.parent != 0 {
		out.ParentSpanId = bytes.Repeat([]byte{s.parent}, 8)
	}
	if s.failed != "" {
		out.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: s.failed}
	}
	for name, value := range s.attributes {
		out.Attributes = append(out.Attributes, keyValue(name, value))
	}
	return out
}

func keyValue(name string, value any) *commonpb.KeyValue {
	v := &commonpb.AnyValue{}
	switch value := value.(type) {
	case string:
		v.Value = &commonpb.AnyValue_StringValue{StringValue: value}
	case int:
		v.Value = &commonpb.AnyValue_IntValue{IntValue: int64(value)}
	case float64:
		v.Value = &commonpb.AnyValue_DoubleValue{DoubleValue: value}
	case bool:
		v.Value = &commonpb.AnyValue_BoolValue{BoolValue: value}
	}
	return &commonpb.KeyValue{Key: name, Value: v}
}

// export encodes spans as an exporter does that has those of all services.
func export(t testing.TB, steps ...step) []byte {
	t.Helper()
	data := &tracepb.TracesData{}
	for _, s := range steps {
		data.ResourceSpans = append(data.ResourceSpans, &tracepb.ResourceSpans{
			Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{keyValue("service.name", s.service)}},
			ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{s.encode()}}},
		})
	}
	body, err := proto.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// receiveAll sends spans to the console over HTTP.
func (c *Console) receiveAll(t *testing.T, steps ...step) {
	t.Helper()
	headers := map[string]string{"Content-Type": protobufType, "Origin": ""}
	if got := c.send(t, http.MethodPost, "/v1/traces", string(export(t, steps...)), headers); got.status != http.StatusOK {
		t.Fatalf("export: %d %s", got.status, got.body)
	}
}

// listOrders is a request that crosses two services and a database.
var listOrders = []step{
	{
		trace: 1, id: 4, parent: 3, service: "things", name: "SELECT", kind: tracepb.Span_SPAN_KIND_CLIENT,
		start: 7 * time.Millisecond, end: 8 * time.Millisecond,
	},
	{
		trace: 1, id: 3, parent: 2, service: "things", name: "things.get", kind: tracepb.Span_SPAN_KIND_SERVER,
		start: 6 * time.Millisecond, end: 9 * time.Millisecond,
		attributes: map[string]any{rpcMethodKey: "things.get", queueWaitKey: 2.5},
	},
	{
		trace: 1, id: 2, parent: 1, service: "gateway", name: "call things.get", kind: tracepb.Span_SPAN_KIND_CLIENT,
		start: 2 * time.Millisecond, end: 10 * time.Millisecond,
		attributes: map[string]any{rpcMethodKey: "things.get"},
	},
	{
		trace: 1, id: 1, service: "gateway", name: "GET /v1/things/:id", kind: tracepb.Span_SPAN_KIND_SERVER, end: 12 * time.Millisecond,
		attributes: map[string]any{
			httpMethodKey: "GET", httpRouteKey: "/v1/things/:id", httpStatusKey: 200, pathKey: "/v1/things/7", correlationKey: "c-1",
		},
	},
}

func contextOf(t *testing.T) context.Context { t.Helper(); return awaittest.Context(t) }
