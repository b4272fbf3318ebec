package driver_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

func TestNormalize(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	made := time.Date(2026, time.May, 1, 1, 2, 3, 999_999_999, zone)
	carried := time.Date(2026, time.April, 30, 23, 2, 3, 0, time.UTC)
	var noTable map[string]any
	var noArray []any

	for name, test := range map[string]struct{ sent, want messaging.Message }{
		"zero": {},
		"strings": {
			messaging.Message{ID: "1", Type: "2", AppID: "3", ContentType: "4", ContentEncoding: "5", CorrelationID: "6", ReplyTo: "7"},
			messaging.Message{ID: "1", Type: "2", AppID: "3", ContentType: "4", ContentEncoding: "5", CorrelationID: "6", ReplyTo: "7"},
		},
		"times": {
			messaging.Message{Timestamp: made, TTL: 1234567 * time.Microsecond},
			messaging.Message{Timestamp: carried, TTL: 1234 * time.Millisecond},
		},
		"zero time in a zone": {messaging.Message{Timestamp: time.Time{}.In(zone)}, messaging.Message{}},
		"persistent":          {messaging.Message{Persistent: true}, messaging.Message{Persistent: true}},
		"no headers":          {messaging.Message{Headers: map[string]any{}}, messaging.Message{}},
		"numbers": {
			messaging.Message{Headers: map[string]any{
				"int": 1, "int8": int8(2), "int16": int16(3), "int32": int32(4), "int64": int64(5),
				"uint": uint(6), "uint8": uint8(7), "uint16": uint16(8), "uint32": uint32(9), "uint64": uint64(10),
				"float32": float32(0.5), "float64": 0.25,
			}},
			messaging.Message{Headers: map[string]any{
				"int": int64(1), "int8": int64(2), "int16": int64(3), "int32": int64(4), "int64": int64(5),
				"uint": int64(6), "uint8": int64(7), "uint16": int64(8), "uint32": int64(9), "uint64": int64(10),
				"float32": 0.5, "float64": 0.25,
			}},
		},
		"other values": {
			messaging.Message{Headers: map[string]any{"nil": nil, "string": "s", "bool": true, "time": made, "bytes": []byte("b")}},
			messaging.Message{Headers: map[string]any{"nil": nil, "string": "s", "bool": true, "time": carried, "bytes": []byte("b")}},
		},
		"nested": {
			messaging.Message{Headers: map[string]any{"array": []any{1, map[string]any{"time": made}}, "table": map[string]any{"a": []any{2}}}},
			messaging.Message{Headers: map[string]any{
				"array": []any{int64(1), map[string]any{"time": carried}}, "table": map[string]any{"a": []any{int64(2)}},
			}},
		},
		"nested and empty": {
			messaging.Message{Headers: map[string]any{"table": noTable, "array": noArray, "no table": map[string]any{}}},
			messaging.Message{Headers: map[string]any{"table": map[string]any{}, "array": []any{}, "no table": map[string]any{}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := driver.Normalize(test.sent)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("normalized (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got, driver.Normalize(got)); diff != "" {
				t.Errorf("normalized again (-once +twice):\n%s", diff)
			}
			if location := got.Timestamp.Location(); location != time.UTC {
				t.Errorf("the timestamp is in %s", location)
			}
		})
	}
}

func TestNormalizeSharesNothing(t *testing.T) {
	newMessage := func() messaging.Message {
		return messaging.Message{
			Body: []byte("body"),
			Headers: map[string]any{
				"bytes": []byte("bytes"),
				"array": []any{[]byte("inner"), map[string]any{"key": "value"}},
				"table": map[string]any{"inner": map[string]any{"key": "value"}},
			},
		}
	}
	original := newMessage()
	c := driver.Normalize(original)
	c.Body[0] = '#'
	for _, bytes := range [][]byte{c.Headers["bytes"].([]byte), c.Headers["array"].([]any)[0].([]byte)} {
		bytes[0] = '#'
	}
	delete(c.Headers["array"].([]any)[1].(map[string]any), "key")
	delete(c.Headers["table"].(map[string]any)["inner"].(map[string]any), "key")
	c.Headers["array"].([]any)[0] = nil
	delete(c.Headers, "table")
	if diff := cmp.Diff(newMessage(), original); diff != "" {
		t.Errorf("a change of the copy changed the original (-want +got):\n%s", diff)
	}
}

// foreignTable is the table type of a client library.
type foreignTable map[string]any

func TestConvertHeaders(t *testing.T) {
	headers := map[string]any{"n": int32(1), "table": map[string]any{"list": []any{map[string]any{"f": float32(0.5)}}}, "none": nil}
	foreign := foreignTable{"n": int64(1), "table": foreignTable{"list": []any{foreignTable{"f": 0.5}}}, "none": nil}
	there := driver.ConvertHeaders[foreignTable](headers, driver.Widen)
	if diff := cmp.Diff(foreign, there); diff != "" {
		t.Errorf("headers for the library (-want +got):\n%s", diff)
	}
	back := driver.ConvertHeaders[map[string]any](there, driver.Widen)
	if diff := cmp.Diff(driver.ConvertHeaders[map[string]any](headers, driver.Widen), back); diff != "" {
		t.Errorf("headers back from the library (-want +got):\n%s", diff)
	}
	if got := driver.ConvertHeaders[foreignTable](map[string]any{}, driver.Widen); got != nil {
		t.Errorf("empty headers became %v", got)
	}
}

func TestConvertHeadersScalars(t *testing.T) {
	negate := func(value any) any { return -value.(int) }
	headers := map[string]any{"list": []any{1, "text"}, "n": 2}
	want := map[string]any{"list": []any{-1, "text"}, "n": -2}
	if diff := cmp.Diff(want, driver.ConvertHeaders[map[string]any](headers, negate)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
