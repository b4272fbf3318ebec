package messagingtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// carry publishes m and returns what is delivered.
func (t *tester) carry(m messaging.Message) messaging.Message {
	t.Helper()
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	t.publishMessage(b, q, m)
	return awaittest.Receive(t, received, "the message")
}

// fullMessage returns a message with a value in each field, and the same message as delivered.
func (t *tester) fullMessage() (sent, want messaging.Message) {
	made := time.Date(2026, time.March, 29, 1, 59, 59, 987654321, time.FixedZone("", -3*60*60))
	sent = messaging.Message{
		ID:              uuid.NewString(),
		Type:            "order.created",
		AppID:           "orders",
		ContentType:     "application/json",
		ContentEncoding: "identity",
		CorrelationID:   uuid.NewString(),
		ReplyTo:         "gateway.replies",
		Headers:         map[string]any{"Accept": "application/json"},
		Body:            []byte(`{"id":"1"}`),
		Timestamp:       made,
		TTL:             time.Minute + 7*time.Millisecond,
		Persistent:      true,
	}
	want = sent
	want.Timestamp = time.Date(2026, time.March, 29, 4, 59, 59, 0, time.UTC)
	want.UserID = t.options.User
	return sent, want
}

func testRoundTrip(t *tester) {
	full, wantFull := t.fullMessage()
	transient, wantTransient := full, wantFull
	transient.Persistent, wantTransient.Persistent = false, false
	least := messaging.Message{ID: full.ID}
	short := strings.Repeat("é", messaging.MaxHeaderNameBytes/2) + "!"
	longest := messaging.Message{
		ID: short, Type: short, AppID: short, ContentType: short, ContentEncoding: short,
		CorrelationID: short, ReplyTo: short, Persistent: true,
	}

	for name, m := range map[string]struct{ sent, want messaging.Message }{
		"full":      {full, wantFull},
		"transient": {transient, wantTransient},
		"least":     {least, least},
		"longest":   {longest, longest},
	} {
		m.want.UserID = t.options.User
		got := t.carry(m.sent)
		if diff := cmp.Diff(m.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s message (-want +got):\n%s", name, diff)
		}
	}
}

// testUserID sends messages with the UserID of another user. The broker replaces it.
func testUserID(t *tester) {
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	forged := newMessage("forged")
	forged.UserID = "another-user"
	t.publishMessage(b, q, forged)
	if err := b.Send(t.ctx, q.Name, forged); err != nil {
		t.Fatalf("Send: %v", err)
	}
	for range 2 {
		if m := awaittest.Receive(t, received, "the message"); m.UserID != t.options.User {
			t.Errorf("sent by %q, want %q", m.UserID, t.options.User)
		}
	}
}

func testHeaderTypes(t *tester) {
	made := time.Date(2026, time.March, 29, 1, 59, 59, 987654321, time.FixedZone("", 2*60*60))
	carried := time.Date(2026, time.March, 28, 23, 59, 59, 0, time.UTC)
	longName := strings.Repeat("n", messaging.MaxHeaderNameBytes)
	headers := map[string]any{
		"nil":    nil,
		"string": "Grüße, 世界",
		"empty":  "",
		"true":   true, "false": false,
		"int": -1, "int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(-1 << 63),
		"uint": uint(1), "uint8": uint8(255), "uint16": uint16(65535), "uint32": uint32(1<<32 - 1), "uint64": uint64(1<<63 - 1),
		"float32": float32(0.5), "float64": 1e300,
		"time":  made,
		"bytes": []byte{0, 1, 0xff}, "no bytes": []byte{},
		"array":    []any{1, "two", []any{true, made}, map[string]any{"three": uint8(3)}},
		"no array": []any{},
		"table":    map[string]any{"inner": map[string]any{"bytes": []byte("x"), "time": made}, "list": []any{1.5}},
		"no table": map[string]any{},
		longName:   "long",
		"":         "no name",
	}
	want := map[string]any{
		"nil":    nil,
		"string": "Grüße, 世界",
		"empty":  "",
		"true":   true, "false": false,
		"int": int64(-1), "int8": int64(-8), "int16": int64(-16), "int32": int64(-32), "int64": int64(-1 << 63),
		"uint": int64(1), "uint8": int64(255), "uint16": int64(65535), "uint32": int64(1<<32 - 1), "uint64": int64(1<<63 - 1),
		"float32": 0.5, "float64": 1e300,
		"time":  carried,
		"bytes": []byte{0, 1, 0xff}, "no bytes": []byte{},
		"array":    []any{int64(1), "two", []any{true, carried}, map[string]any{"three": int64(3)}},
		"no array": []any{},
		"table":    map[string]any{"inner": map[string]any{"bytes": []byte("x"), "time": carried}, "list": []any{1.5}},
		"no table": map[string]any{},
		longName:   "long",
		"":         "no name",
	}
	m := newMessage("")
	m.Headers = headers
	got := t.carry(m)
	if diff := cmp.Diff(want, got.Headers, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

// largestHeaders returns headers of the largest size that is allowed.
func largestHeaders(t *tester) map[string]any {
	t.Helper()
	const name = "large"
	const framing = 1 + len(name) + 1 + 4 // lengths of name and value, the value's type
	headers := map[string]any{name: strings.Repeat("h", messaging.MaxHeadersBytes-framing)}
	if err := driver.ValidateMessage(&messaging.Message{Headers: headers}); err != nil {
		t.Fatalf("Validate: %v", err)
	}
	return headers
}

func testLargestHeaders(t *tester) {
	m := newMessage("")
	m.Headers = largestHeaders(t)
	if got := t.carry(m); !cmp.Equal(m.Headers, got.Headers) {
		t.Error("headers of the largest size were delivered changed")
	}
}

func testBodies(t *tester) {
	random := make([]byte, 1<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"none":  nil,
		"empty": {},
		"zero":  {0},
		"1 MiB": random,
	} {
		m := newMessage("")
		m.Body = body
		if got := t.carry(m).Body; !bytes.Equal(got, body) {
			t.Errorf("body %q: %d bytes were sent, and %d others delivered", name, len(body), len(got))
		}
	}
}

func testNothingShared(t *tester) {
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.ensure(b, q)
	fresh := func() messaging.Message {
		m := newMessage("text")
		m.Headers = map[string]any{"table": map[string]any{"key": "value"}, "bytes": []byte("b")}
		return m
	}
	sent, want := fresh(), fresh()
	t.publishMessage(b, q, sent)
	spoil(sent)

	first := true
	t.subscribe(b, q, func(ctx context.Context, m messaging.Message) error {
		if first {
			first = false
			spoil(m)
			return errors.New("deliver it again")
		}
		return received.handle(ctx, m)
	})
	got := awaittest.Receive(t, received, "the message")
	if diff := cmp.Diff(want.Body, got.Body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	t.wantHeaders(got, want.Headers)
}

// spoil changes all memory of m that a shallow copy shares.
func spoil(m messaging.Message) {
	m.Body[0] = '#'
	m.Headers["table"].(map[string]any)["key"] = "spoiled"
	m.Headers["bytes"].([]byte)[0] = '#'
	delete(m.Headers, "table")
}

// wantHeaders fails the test unless m has these headers. A broker may add headers to a message that it delivers again
// or dead-letters.
func (t *tester) wantHeaders(m messaging.Message, want map[string]any) {
	t.Helper()
	got := map[string]any{}
	for name, value := range m.Headers {
		if _, sent := want[name]; sent {
			got[name] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
