package driver_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// largestString is the length of the largest value that a single header named "h" may have.
const largestString = messaging.MaxHeadersBytes - len("h") - 6

func TestValidateMessage(t *testing.T) {
	longest := strings.Repeat("x", messaging.MaxHeaderNameBytes)
	tooLong := longest + "x"
	header := func(value any) messaging.Message {
		return messaging.Message{Headers: map[string]any{"h": value}}
	}
	invalid, tooLarge := messaging.ErrInvalidMessage, messaging.ErrHeadersTooLarge

	for name, test := range map[string]struct {
		message messaging.Message
		want    error
	}{
		"zero": {},
		"longest": {message: messaging.Message{
			ID: longest, Type: longest, AppID: longest, ContentType: longest, ContentEncoding: longest,
			CorrelationID: longest, ReplyTo: longest, Headers: map[string]any{longest: longest}, TTL: time.Hour,
		}},
		"long id":               {messaging.Message{ID: tooLong}, invalid},
		"long type":             {messaging.Message{Type: tooLong}, invalid},
		"long app id":           {messaging.Message{AppID: tooLong}, invalid},
		"long content type":     {messaging.Message{ContentType: tooLong}, invalid},
		"long content encoding": {messaging.Message{ContentEncoding: tooLong}, invalid},
		"long correlation id":   {messaging.Message{CorrelationID: tooLong}, invalid},
		"long reply to":         {messaging.Message{ReplyTo: tooLong}, invalid},
		"direct reply to":       {messaging.Message{ReplyTo: "amq.rabbitmq.reply-to"}, invalid},
		"largest body":          {messaging.Message{Body: make([]byte, messaging.MaxBodyBytes)}, nil},
		"too large a body":      {messaging.Message{Body: make([]byte, messaging.MaxBodyBytes+1)}, messaging.ErrBodyTooLarge},
		"a copy to another":     {messaging.Message{Headers: map[string]any{"CC": []any{"q"}}}, invalid},
		"a hidden copy":         {messaging.Message{Headers: map[string]any{"BCC": []any{"q"}}}, invalid},
		"a forged count":        {messaging.Message{Headers: map[string]any{"x-delivery-count": 9}}, invalid},
		"CC inside a table":     {messaging.Message{Headers: map[string]any{"t": map[string]any{"CC": "q"}}}, nil},
		"negative TTL":          {messaging.Message{TTL: -1}, invalid},
		"longest TTL":           {messaging.Message{TTL: messaging.MaxLifetime}, nil},
		"endless TTL":           {messaging.Message{TTL: messaging.MaxLifetime + 1}, invalid},
		"large body":            {message: messaging.Message{Body: make([]byte, 10*messaging.MaxHeadersBytes)}},

		"largest headers":   {message: header(strings.Repeat("x", largestString))},
		"too large headers": {header(strings.Repeat("x", largestString+1)), tooLarge},
		"too large bytes":   {header(make([]byte, largestString+1)), tooLarge},
		"too large array":   {header([]any{strings.Repeat("x", largestString)}), tooLarge},
		"long name":         {messaging.Message{Headers: map[string]any{tooLong: 1}}, tooLarge},
		"long inner name":   {header([]any{map[string]any{tooLong: 1}}), tooLarge},

		"struct":           {header(struct{}{}), invalid},
		"pointer":          {header(new(int)), invalid},
		"string slice":     {header([]string{"x"}), invalid},
		"string map":       {header(map[string]string{"x": "y"}), invalid},
		"duration":         {header(time.Second), invalid},
		"inner struct":     {header(map[string]any{"x": []any{struct{}{}}}), invalid},
		"largest uint64":   {message: header(uint64(math.MaxInt64))},
		"too large uint64": {header(uint64(math.MaxInt64) + 1), invalid},
		"largest float":    {message: header(math.MaxFloat64)},
		"smallest float":   {message: header(math.SmallestNonzeroFloat64)},
		"infinite":         {header(math.Inf(1)), invalid},
		"not a number":     {header(float32(math.NaN())), invalid},
		"inner infinite":   {header([]any{map[string]any{"x": float32(math.Inf(-1))}}), invalid},
		"too large uint":   {header(uint(math.MaxInt64) + 1), invalid},
		"deepest table":    {message: header(nestedTable(31))},
		"too deep table":   {header(nestedTable(32)), invalid},
		"deepest array":    {message: header(nestedArray(31))},
		"too deep array":   {header(nestedArray(32)), invalid},
		"longest list":     {message: header(make([]any, 8192))},
		"too long list":    {header(make([]any, 8193)), invalid},
		"largest table":    {message: header(tableOf(8192))},
		"too large table":  {header(tableOf(8193)), invalid},
		"own table":        {messaging.Message{Headers: ownTable()}, invalid},
		"own array":        {header(ownArray()), invalid},
	} {
		t.Run(name, func(t *testing.T) {
			err := driver.ValidateMessage(&test.message)
			if !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if test.want != nil && !errors.Is(err, invalid) {
				t.Errorf("error %v does not wrap ErrInvalidMessage", err)
			}
			if errors.Is(err, tooLarge) && !errors.Is(test.want, tooLarge) {
				t.Errorf("error %v wraps ErrHeadersTooLarge", err)
			}
		})
	}
}

// nestedTable returns a table with depth tables nested in it.
func nestedTable(depth int) map[string]any {
	if depth == 0 {
		return map[string]any{}
	}
	return map[string]any{"t": nestedTable(depth - 1)}
}

func tableOf(elements int) map[string]any {
	table := make(map[string]any, elements)
	for i := range elements {
		table[strconv.Itoa(i)] = nil
	}
	return table
}

func nestedArray(depth int) []any {
	if depth == 0 {
		return []any{}
	}
	return []any{nestedArray(depth - 1)}
}

func ownTable() map[string]any {
	table := map[string]any{}
	table["own"] = table
	return table
}

func ownArray() []any {
	array := make([]any, 1)
	array[0] = array
	return array
}

func TestHeadersSize(t *testing.T) {
	for name, test := range map[string]struct {
		headers map[string]any
		want    int
	}{
		"none":    {nil, 0},
		"empty":   {map[string]any{}, 0},
		"nil":     {map[string]any{"name": nil}, 5 + 1},
		"no name": {map[string]any{"": nil}, 1 + 1},
		"string":  {map[string]any{"name": "text"}, 5 + 9},
		"utf-8":   {map[string]any{"é": "é"}, 3 + 7},
		"bytes":   {map[string]any{"name": []byte{1, 2, 3}}, 5 + 8},
		"bool":    {map[string]any{"name": true}, 5 + 2},
		"int64":   {map[string]any{"name": int64(1)}, 5 + 9},
		"float64": {map[string]any{"name": 1.5}, 5 + 9},
		"time":    {map[string]any{"name": time.Unix(0, 0)}, 5 + 9},
		"array":   {map[string]any{"name": []any{"a", true}}, 5 + 5 + 6 + 2},
		"table":   {map[string]any{"name": map[string]any{"a": true, "bc": "d"}}, 5 + 5 + 4 + 9},
		"two":     {map[string]any{"a": true, "b": false}, 4 + 4},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := driver.HeadersSize(test.headers)
			if err != nil || got != test.want {
				t.Errorf("got %d bytes, error %v, want %d bytes", got, err, test.want)
			}
			if encoded := len(appendTable(nil, test.headers)); encoded != test.want {
				t.Errorf("the table takes %d bytes, want %d", encoded, test.want)
			}
		})
	}
}

func TestHeadersSizeNamesTheHeader(t *testing.T) {
	_, err := driver.HeadersSize(map[string]any{"outer": map[string]any{"inner": struct{}{}}})
	if err == nil || !strings.Contains(err.Error(), `"outer"`) || !strings.Contains(err.Error(), `"inner"`) {
		t.Errorf("error %v does not name the header", err)
	}
}

// FuzzMessage has ValidateMessage, headersSize and Normalize handle any message without a panic. Their results agree with each
// other and with the bytes of the encoded table.
func FuzzMessage(f *testing.F) {
	f.Add("id", int64(time.Second), []byte{})
	f.Add(strings.Repeat("x", messaging.MaxHeaderNameBytes+1), int64(-1), []byte("\x01a\x05bc"))
	f.Add("", int64(0), []byte{1, 2, 'C', 'C', 0})
	f.Add("", int64(0), []byte{1, 'n', 15, 3, 14, 1, 'x', 16, 0, 13, 200, 9, 12, 255})
	f.Add("0", int64(-87), bytes.Repeat([]byte{0x86}, 256)) // nested lists
	for kind := range byte(kinds) {
		f.Add("", int64(0), []byte{1, 'n', kind, 5, 1, 'a', kind, 2, kind, kind, 250})
	}
	f.Fuzz(func(t *testing.T, id string, ttl int64, data []byte) {
		r := reader{data}
		m := messaging.Message{ID: id, TTL: time.Duration(ttl), Headers: r.table()}
		size, sizeErr := driver.HeadersSize(m.Headers)
		validateErr := driver.ValidateMessage(&m)
		normalized := driver.Normalize(m)
		checkValidate(t, m, size, sizeErr, validateErr)
		if sizeErr != nil {
			return
		}
		normalizedSize, err := driver.HeadersSize(normalized.Headers)
		if err != nil {
			t.Fatalf("HeadersSize after Normalize: %v", err)
		}
		if encoded := len(appendTable(nil, normalized.Headers)); normalizedSize != encoded {
			t.Errorf("HeadersSize is %d, the encoded table has %d bytes", normalizedSize, encoded)
		}
		if size != normalizedSize {
			t.Errorf("HeadersSize is %d before Normalize and %d after", size, normalizedSize)
		}
		// cmp.Diff takes exponential time for nested lists.
		if twice := driver.Normalize(normalized); !reflect.DeepEqual(normalized, twice) {
			t.Errorf("normalized once:\n%#v\ntwice:\n%#v", normalized, twice)
		}
	})
}

func checkValidate(t *testing.T, m messaging.Message, size int, sizeErr, validateErr error) {
	t.Helper()
	if sizeErr != nil && !errors.Is(sizeErr, messaging.ErrInvalidMessage) {
		t.Errorf("HeadersSize: error %v does not wrap ErrInvalidMessage", sizeErr)
	}
	if validateErr != nil && !errors.Is(validateErr, messaging.ErrInvalidMessage) {
		t.Errorf("Validate: error %v does not wrap ErrInvalidMessage", validateErr)
	}
	reserved := false
	for _, name := range []string{"CC", "BCC", "x-delivery-count", "x-acquired-count", "x-classic-delivery-count"} {
		_, found := m.Headers[name]
		reserved = reserved || found
	}
	valid := len(m.ID) <= messaging.MaxHeaderNameBytes && m.TTL >= 0 && m.TTL <= messaging.MaxLifetime &&
		!reserved && sizeErr == nil && size <= messaging.MaxHeadersBytes
	if valid != (validateErr == nil) {
		t.Errorf("Validate: %v, with an id of %d bytes, TTL %s, %d bytes of headers (error %v)",
			validateErr, len(m.ID), m.TTL, size, sizeErr)
	}
}

// reader turns bytes into headers. Bytes beyond the end are zero.
type reader struct{ data []byte }

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) uint64() uint64 {
	n := uint64(0)
	for range 8 {
		n = n<<8 | uint64(r.byte())
	}
	return n
}

// bytes returns up to 255 × 80 bytes, so that a few of them exceed the limits.
func (r *reader) bytes() []byte {
	n := int(r.byte())
	if n > 200 {
		return bytes.Repeat([]byte{r.byte()}, n*80)
	}
	n = min(n, len(r.data))
	b := r.data[:n]
	r.data = r.data[n:]
	return bytes.Clone(b)
}

func (r *reader) table() map[string]any {
	n := int(r.byte() % 8)
	if n == 7 {
		return nil
	}
	table := map[string]any{}
	for range n {
		table[string(r.bytes())] = r.value()
	}
	return table
}

func (r *reader) array() []any {
	var array []any
	for range r.byte() % 8 {
		array = append(array, r.value())
	}
	return array
}

// kinds counts the kinds of values; the last is invalid.
const kinds = 20

func (r *reader) value() any {
	switch r.byte() % kinds {
	case 0:
		return nil
	case 1:
		return r.byte()%2 == 0
	case 2:
		return int(r.uint64())
	case 3:
		return int8(r.byte())
	case 4:
		return int16(r.uint64())
	case 5:
		return int32(r.uint64())
	case 6:
		return int64(r.uint64())
	case 7:
		return uint(r.uint64())
	case 8:
		return r.byte()
	case 9:
		return uint16(r.uint64())
	case 10:
		return uint32(r.uint64())
	case 11:
		return r.uint64()
	case 12:
		return float32(r.byte()) / 3
	case 13:
		return float64(r.uint64()) / 3
	case 14:
		return r.array()
	case 15:
		return r.table()
	case 16:
		return string(r.bytes())
	case 17:
		return r.bytes()
	case 18:
		return time.Unix(int64(int32(r.uint64())), int64(r.byte()))
	default:
		return struct{}{}
	}
}

// appendTable encodes a normalized table as AMQP 0-9-1 does, without its length prefix.
// https://www.rabbitmq.com/amqp-0-9-1-errata#section_3
func appendTable(b []byte, table map[string]any) []byte {
	for name, value := range table {
		b = append(b, byte(len(name)))
		b = append(b, name...)
		b = appendValue(b, value)
	}
	return b
}

func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, 'V')
	case bool:
		return append(b, 't', 1)
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'l'), uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 'd'), math.Float64bits(v))
	case time.Time:
		return binary.BigEndian.AppendUint64(append(b, 'T'), uint64(v.Unix()))
	case string:
		return appendLong(append(b, 'S'), []byte(v))
	case []byte:
		return appendLong(append(b, 'x'), v)
	case map[string]any:
		return appendLong(append(b, 'F'), appendTable(nil, v))
	case []any:
		var elements []byte
		for _, element := range v {
			elements = appendValue(elements, element)
		}
		return appendLong(append(b, 'A'), elements)
	default:
		return nil
	}
}

func appendLong(b, content []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(content)))
	return append(b, content...)
}
