package rabbitmq

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// basicPublish is the beginning of a method frame on channel 1, which Send uses.
var basicPublish = []byte{1, 0, 1}

// TestWireBytes pins the frames of a message. Its tables have one entry each, because their order is not fixed.
func TestWireBytes(t *testing.T) {
	p := rabbitmqtest.StartProxy(t, hostOf(t, testURL))
	b := newTestBroker(t, Options{URLs: []string{p.URL(t, testURL)}})
	s, err := b.publishing.session()
	if err != nil {
		t.Fatal(err)
	}
	s.user = "user id" // fixed in the golden file; the broker refuses it
	const queue = "messaging.wire"
	before := len(p.Sent())
	if err := b.Send(awaittest.Context(t), queue, messaging.Message{
		ID: "message id", Type: "type", AppID: "app", ContentType: "application/json", ContentEncoding: "identity",
		CorrelationID: "correlation id", ReplyTo: "reply to",
		Headers: map[string]any{"table": map[string]any{"array": []any{
			"text", true, int8(1), 2, uint64(3), 1.5, float32(0.5), []byte{4}, time.Unix(5, 0), nil, map[string]any{},
		}}},
		Body:       []byte(`{"body":true}`),
		Timestamp:  time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		TTL:        1500*time.Millisecond + time.Microsecond,
		Persistent: true,
	}); err != nil {
		t.Fatal(err)
	}
	var got []byte
	awaittest.Until(t, "the publish to pass", func() bool {
		sent := p.Sent()[before:]
		start := bytes.Index(sent, basicPublish)
		end := bytes.Index(sent, []byte("{\"body\":true}\xce"))
		if start < 0 || end < start {
			return false
		}
		got = sent[start : end+len("{\"body\":true}\xce")]
		return true
	})
	const golden = "testdata/publish.golden"
	dump := hex.Dump(got)
	if *update {
		if err := os.WriteFile(golden, []byte(dump), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), dump); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
}
