package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	testNow      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	testDeadline = testNow.Add(5 * time.Second)
)

const (
	testID        = "0b0e1a5e-6f4c-4d0a-9a51-5c8a3c1d2e3f"
	testSecret    = "c2b1f0de-3a4b-4c5d-8e6f-7a8b9c0d1e2f"
	testGatewayID = "5d8a1c9e-7b6a-4f3d-9c2b-1a0f9e8d7c6b"
)

func fullRequest() *Request {
	return &Request{
		Queue:         "orders.create",
		ID:            testID,
		CorrelationID: testGatewayID,

		Method: "POST",
		Path:   "/v1/shops/7/orders",
		Route:  "/v1/shops/:shop/orders",
		Params: map[string]string{"shop": "7"},
		Query:  url.Values{"dry": {"true"}, "tag": {"a", "b"}},
		Header: http.Header{"Accept": {"application/json"}, "Idempotency-Key": {"k-1"}},
		Identity: &Identity{
			Subject: "u-1", Username: "demo", Scopes: []string{"orders:read", "orders:write"},
			TokenID: "t-1", ExpiresAt: time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC),
		},
		ContentType: "application/json",
		Body:        []byte(`{"sku":"A-1","quantity":2}`),
		Deadline:    testDeadline,
	}
}

// golden is a message as the golden files show it, with AMQP's names.
type golden struct {
	Properties goldenProperties `json:"properties"`
	Headers    map[string]any   `json:"headers"`
	Body       string           `json:"body"`
}

type goldenProperties struct {
	Type          string `json:"type,omitempty"`
	MessageID     string `json:"message_id"`
	CorrelationID string `json:"correlation_id"`
	ReplyTo       string `json:"reply_to,omitempty"`
	AppID         string `json:"app_id,omitempty"`
	ContentType   string `json:"content_type,omitempty"`
	Timestamp     int64  `json:"timestamp,omitempty"`
	Expiration    string `json:"expiration,omitempty"`
	DeliveryMode  int    `json:"delivery_mode"`
}

func newGolden(m messaging.Message) golden {
	g := golden{
		Properties: goldenProperties{
			Type: m.Type, MessageID: m.ID, CorrelationID: m.CorrelationID, ReplyTo: m.ReplyTo, AppID: m.AppID,
			ContentType: m.ContentType, DeliveryMode: 1,
		},
		Headers: m.Headers,
		Body:    string(m.Body),
	}
	if !m.Timestamp.IsZero() {
		g.Properties.Timestamp = m.Timestamp.Unix()
	}
	if m.TTL > 0 {
		g.Properties.Expiration = strconv.FormatInt(m.TTL.Milliseconds(), 10)
	}
	if m.Persistent {
		g.Properties.DeliveryMode = 2
	}
	return g
}

func TestGolden(t *testing.T) {
	failure := NewError(http.StatusUnprocessableEntity, "invalid input").
		WithFields(FieldError{Field: "items[0].quantity", Message: "must be at least 1"}).
		WithHeader("Retry-After", "3")
	created := &Reply{
		Status: http.StatusCreated, Header: http.Header{"Location": {"/v1/orders/42"}},
		ContentType: "application/json", Body: []byte(`{"id":"42"}`),
	}
	minimal := &Request{ID: testID, Deadline: testDeadline}
	traced := &Request{ID: testID, Deadline: testDeadline, Header: http.Header{
		"Accept": {"application/json"}, "Traceparent": {testTraceparent}, "Tracestate": {"a=1", "b=2"},
	}}
	gateway := Encoder{ReplyTo: "gateway.rpc.response"}
	persistent := gateway
	persistent.Persistent = true
	tests := []struct {
		name    string
		message messaging.Message
	}{
		{"full_request", persistent.Request(fullRequest(), testSecret, testNow)},
		{"minimal_request", gateway.Request(minimal, testSecret, testNow)},
		{"traced_request", gateway.Request(traced, testSecret, testNow)},
		{"reply", Encoder{AppID: "orders"}.Reply(created, minimal, testSecret)},
		{"error_reply", Encoder{AppID: "orders"}.Reply(failure.Reply(testID), minimal, testSecret)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := driver.ValidateMessage(&test.message); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			encoder := json.NewEncoder(&got)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(newGolden(test.message)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", test.name+".golden.json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRequestRoundTrip(t *testing.T) {
	want := fullRequest()
	m := driver.Normalize(Encoder{ReplyTo: "gateway.rpc.response", Persistent: true}.Request(want, testSecret, testNow))
	if m.TTL != 5*time.Second {
		t.Errorf("TTL is %s", m.TTL)
	}
	got, err := DecodeRequest("orders.create", m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReplyRoundTrip(t *testing.T) {
	want := &Reply{Status: 207, Header: http.Header{"X-A": {"1", "2"}}, ContentType: "text/plain", Body: []byte("x")}
	m := driver.Normalize(Encoder{AppID: "orders"}.Reply(want, &Request{ID: testID}, testSecret))
	got, err := DecodeReply(&m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTTL(t *testing.T) {
	tests := []struct {
		name     string
		deadline time.Time
		want     time.Duration
	}{
		{"no deadline", time.Time{}, 0},
		{"whole milliseconds", testNow.Add(1500*time.Millisecond + 999*time.Microsecond), 1500 * time.Millisecond},
		{"never none", testNow.Add(time.Microsecond), time.Millisecond},
		{"past", testNow.Add(-time.Hour), time.Millisecond},
		{"absurd", time.UnixMilli(1 << 60), maxTTL},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := ttlUntil(test.deadline, testNow); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestDecodePlainRequest(t *testing.T) {
	got, err := DecodeRequest("orders.get", messaging.Message{
		CorrelationID: "7", ReplyTo: "q", ContentType: "text/plain", Body: []byte("hi"), Headers: map[string]any{"x": 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &Request{Queue: "orders.get", ID: "7", CorrelationID: "7", ContentType: "text/plain", Body: []byte("hi")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Plain clients name a content coding or a character set in content_encoding. JSON in another character set is not valid.
func TestDecodeContentEncoding(t *testing.T) {
	for encoding, want := range map[string]string{
		"": "", "utf-8": "", "UTF-8": "", "us-ascii": "", "binary": "", "identity": "identity",
		"gzip": "gzip", "BR": "BR", "gzip:UTF-8": "gzip:UTF-8", "iso-8859-1": "iso-8859-1",
	} {
		r, err := DecodeRequest("q", messaging.Message{ContentEncoding: encoding})
		if err != nil || r.Header.Get("Content-Encoding") != want {
			t.Errorf("%q: header %v, %v, want the coding %q", encoding, r.Header, err, want)
		}
	}
}

func TestDecodeRequestTypes(t *testing.T) {
	for _, version := range []any{1, int8(1), int16(1), int32(1), int64(1), uint8(1), uint16(1), uint32(1)} {
		got, err := DecodeRequest("q", messaging.Message{Headers: map[string]any{
			"rpc-version": version,
			"rpc-unknown": "of a later revision",
			"rpc-request": "header.x-b=2&header.X-a=1&header.X-B=4&&header.x-B=3&later=1&later.a=2",
		}})
		if err != nil {
			t.Fatalf("version as %T: %v", version, err)
		}
		want := http.Header{"X-A": {"1"}, "X-B": {"2", "4", "3"}}
		if diff := cmp.Diff(want, got.Header); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// The correlation ID of the message is a secret. It is the request's ID only if the sender knows nothing of secrets.
func TestDecodeIDs(t *testing.T) {
	tests := map[string]struct {
		m                 messaging.Message
		id, correlationID string
	}{
		"a call of the gateway": {messaging.Message{ID: "1", CorrelationID: testSecret}, "1", "1"},
		"a call that follows": {
			messaging.Message{ID: "2", CorrelationID: testSecret, Headers: map[string]any{"rpc-correlation-id": "1"}}, "2", "1",
		},
		"a plain call":           {messaging.Message{CorrelationID: "1"}, "1", "1"},
		"neither":                {messaging.Message{}, "", ""},
		"a correlation ID alone": {messaging.Message{Headers: map[string]any{"rpc-correlation-id": "1"}}, "", "1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeRequest("q", test.m)
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != test.id || got.CorrelationID != test.correlationID {
				t.Errorf("ID %q, correlation ID %q; want %q and %q", got.ID, got.CorrelationID, test.id, test.correlationID)
			}
		})
	}
}

// An HTTP header never reaches another field, whatever its name is.
func TestHeadersStayHeaders(t *testing.T) {
	names := []string{
		headerIdentity, headerRequest, headerDeadline, headerVersion, "Rpc-Identity", "subject", "method", "a&method=GET", "&path",
	}
	r := &Request{ID: testID, Header: http.Header{}}
	for _, name := range names {
		r.Header[name] = []string{"admin"}
	}
	got, err := DecodeRequest("q", driver.Normalize(Encoder{ReplyTo: "reply"}.Request(r, testSecret, testNow)))
	if err != nil {
		t.Fatal(err)
	}
	if got.Identity != nil || got.Method != "" || !got.Deadline.IsZero() {
		t.Errorf("a header reached a field: %+v", got)
	}
}

func TestDecodeMalformedRequest(t *testing.T) {
	tests := []struct {
		name    string
		headers map[string]any
		want    string
	}{
		{"later version", map[string]any{"rpc-version": 2}, "rpc-version is 2, not 1"},
		{"version of the wrong type", map[string]any{"rpc-version": "1"}, "rpc-version is string, not an integer"},
		{"null version", map[string]any{"rpc-version": nil}, "rpc-version is <nil>, not an integer"},
		{"request", map[string]any{"rpc-request": 5}, "rpc-request is int, not a string"},
		{"request as table", map[string]any{"rpc-request": map[string]any{}}, "rpc-request is map[string]interface {}, not a string"},
		{"request as bytes", map[string]any{"rpc-request": []byte("method=GET")}, "rpc-request is []uint8, not a string"},
		{"a param", map[string]any{"rpc-request": "param.id=%"}, `rpc-request: invalid URL escape "%"`},
		{"query", map[string]any{"rpc-request": "query.%a=1"}, `rpc-request: invalid URL escape "%a"`},
		{"deadline", map[string]any{"rpc-deadline": 1.5}, "rpc-deadline is float64, not an integer"},
		{"deadline of zero", map[string]any{"rpc-deadline": 0}, "rpc-deadline is 0, not after 1970"},
		{"identity", map[string]any{"rpc-identity": true}, "rpc-identity is bool, not a string"},
		{"null identity", map[string]any{"rpc-identity": nil}, "rpc-identity is <nil>, not a string"},
		{"empty identity", map[string]any{"rpc-identity": ""}, "rpc-identity: no subject"},
		{"identity without subject", map[string]any{"rpc-identity": "subject=&username=demo"}, "rpc-identity: no subject"},
		{"correlation ID", map[string]any{"rpc-correlation-id": 5}, "rpc-correlation-id is not a string of 1 to 255 bytes"},
		{"empty correlation ID", map[string]any{"rpc-correlation-id": ""}, "rpc-correlation-id is not a string of 1 to 255 bytes"},
		{
			"long correlation ID", map[string]any{"rpc-correlation-id": strings.Repeat("x", 256)},
			"rpc-correlation-id is not a string of 1 to 255 bytes",
		},
		{"expiry", map[string]any{"rpc-identity": "subject=u&expires-at=soon"}, "rpc-identity: expires-at is not a number of seconds"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := DecodeRequest("q", messaging.Message{Headers: test.headers})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestDecodeReply(t *testing.T) {
	plain := &Reply{Status: 200, ContentType: "text/plain"}
	tests := []struct {
		name    string
		headers map[string]any
		want    *Reply // nil: an error that contains problem
		problem string
	}{
		{"plain", nil, plain, ""},
		{"plain with other headers", map[string]any{"x-trace": "1"}, plain, ""},
		{"least", map[string]any{"rpc-version": int8(1), "rpc-status": int16(404)}, &Reply{Status: 404, ContentType: "text/plain"}, ""},
		{"version", map[string]any{"rpc-version": 2, "rpc-status": 200}, nil, "rpc-version is 2, not 1"},
		{"version type", map[string]any{"rpc-version": "1", "rpc-status": 200}, nil, "not an integer"},
		{"status without version", map[string]any{"rpc-status": 404}, &Reply{Status: 404, ContentType: "text/plain"}, ""},
		{"version without status", map[string]any{"rpc-version": 1}, plain, ""},
		{"status type", map[string]any{"rpc-version": 1, "rpc-status": "200"}, nil, "not an integer"},
		{"status 0", map[string]any{"rpc-version": 1, "rpc-status": 0}, nil, "not in 200 to 599"},
		{"status 101", map[string]any{"rpc-version": 1, "rpc-status": 101}, nil, "not in 200 to 599"},
		{"status 600", map[string]any{"rpc-version": 1, "rpc-status": 600}, nil, "not in 200 to 599"},
		{"status beyond 32 bits", map[string]any{"rpc-version": 1, "rpc-status": int64(1)<<32 + 200}, nil, "not in 200 to 599"},
		{"headers", map[string]any{"rpc-headers": map[string]any{"a": "b"}}, nil, "not a string"},
		{"header", map[string]any{"rpc-headers": "a=%"}, nil, "invalid URL escape"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := DecodeReply(&messaging.Message{ContentType: "text/plain", Headers: test.headers})
			if test.want == nil {
				if !errors.Is(err, ErrMalformedReply) || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got %v, want ErrMalformedReply: %s", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// headersFrom makes headers of JSON, with whole numbers as int64. It returns nil if data is no JSON object.
func headersFrom(data []byte) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var headers map[string]any
	if decoder.Decode(&headers) != nil {
		return nil
	}
	if table, ok := fromJSON(headers).(map[string]any); ok {
		return table
	}
	return nil
}

func fromJSON(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = fromJSON(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = fromJSON(v[name])
		}
	}
	return value
}

func addGoldenSeeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.golden.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var g struct {
			Headers json.RawMessage
			Body    string
		}
		if err := json.Unmarshal(data, &g); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(g.Headers), testID, "application/json", []byte(g.Body))
	}
	for _, headers := range []string{
		`{}`, `{"x":1}`, `{"rpc-version":1}`, `{"rpc-version":2}`, `{"rpc-version":null}`, `{"rpc-status":200}`,
		`{"rpc-version":1,"rpc-status":"200"}`, `{"rpc-version":1,"rpc-deadline":-1}`, `{"rpc-version":1,"rpc-deadline":9223372036854775807}`,
		`{"rpc-status":201,"rpc-headers":"a=1&A=2&x+y&=%0d%0a"}`,
		`{"rpc-identity":"subject=u&scope=&expires-at=-9223372036854775808"}`, `{"rpc-identity":"subject=u&subject=admin"}`,
		`{"rpc-correlation-id":"1"}`, `{"rpc-correlation-id":""}`,
		`{"rpc-request":"param.=&=&param.id&param.id=2&query.a[=&query.a%5B=%00&header.x+y&header.=%0d%0a&header.a=1&header.A=2"}`,
	} {
		f.Add([]byte(headers), "", "", []byte(nil))
	}
}

// FuzzDecodeRequest checks that a decoded request is encoded to the same request.
func FuzzDecodeRequest(f *testing.F) {
	addGoldenSeeds(f)
	f.Fuzz(func(t *testing.T, headers []byte, id, contentType string, body []byte) {
		m := messaging.Message{CorrelationID: id, ReplyTo: "r", ContentType: contentType, Headers: headersFrom(headers), Body: body}
		first, err := DecodeRequest("q", m)
		if err != nil {
			return
		}
		second, err := DecodeRequest("q", driver.Normalize(Encoder{ReplyTo: "r"}.Request(first, first.ID, testNow)))
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-first +second:\n%s", diff)
		}
	})
}

// FuzzDecodeReply checks that a decoded reply is encoded to the same reply.
func FuzzDecodeReply(f *testing.F) {
	addGoldenSeeds(f)
	f.Fuzz(func(t *testing.T, headers []byte, id, contentType string, body []byte) {
		m := messaging.Message{CorrelationID: id, ContentType: contentType, Headers: headersFrom(headers), Body: body}
		first, err := DecodeReply(&m)
		if err != nil {
			if !errors.Is(err, ErrMalformedReply) {
				t.Errorf("%v is not ErrMalformedReply", err)
			}
			return
		}
		_ = first.Err()
		again := driver.Normalize(Encoder{AppID: "a"}.Reply(first, &Request{}, id))
		second, err := DecodeReply(&again)
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-first +second:\n%s", diff)
		}
	})
}
