package rabbitmqtest

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
)

// Properties returns the properties of a message for Raw.Publish: an ID, and headers, given as the fields of a table.
func Properties(id string, fields ...[]byte) []byte {
	const headers, messageID = 1 << 13, 1 << 7
	flags := binary.BigEndian.AppendUint16(nil, headers|messageID)
	return slices.Concat(flags, long(string(slices.Concat(fields...))), short(id))
}

// Field returns a field of a table. The value begins with its type.
func Field(name, value string) []byte { return append(short(name), value...) }

// Long returns a value of a type that has a length, such as S, A and F.
func Long(kind byte, content ...[]byte) string {
	return string(kind) + string(long(string(slices.Concat(content...))))
}

// Nested returns a value of tables in tables, or of lists in lists.
func Nested(kind byte, depth int) string {
	value := Long(kind)
	for range depth - 1 {
		inner := []byte(value)
		if kind == 'F' {
			inner = Field("", value)
		}
		value = Long(kind, inner)
	}
	return value
}

// HeaderTest is a case of HeaderTests.
type HeaderTest struct {
	Fields []byte
	Note   string // part of the reason why amqp091-go cannot decode them; "" if it can
}

// HeaderTests returns headers that RabbitMQ accepts, of a message with the ID "test".
func HeaderTests() map[string]HeaderTest {
	elements := func(n int) []byte {
		var fields []byte
		for i := range n {
			fields = append(fields, Field(string(binary.BigEndian.AppendUint16(nil, uint16(i))), "V")...)
		}
		return fields
	}
	sized := func(payload int) []byte { // of the content header frame
		rest := len(Properties("test", Field("", Long('S')))) + 12
		return Field("", Long('S', make([]byte, payload-rest)))
	}
	voids := func(n int) string { return Long('A', slices.Repeat([]byte("V"), n)) }
	return map[string]HeaderTest{
		"none":                          {nil, ""},
		"L":                             {Field("n", "L\xff\xff\xff\xff\xff\xff\xff\xfe"), ""},
		"L in a list in a table":        {Field("t", Long('F', Field("a", Long('A', []byte("L\x00\x00\x00\x00\x00\x00\x00\x01"))))), ""},
		"text like a field":             {Field("L", Long('S', []byte("L12345678"))), ""},
		"tables nested as deep":         {Field("t", Nested('F', 32)), ""},
		"tables nested too deep":        {Field("t", Nested('F', 33)), "nested"},
		"tables nested far too deep":    {Field("t", Nested('F', 1000)), "nested"},
		"lists nested as deep":          {Field("a", Nested('A', 32)), ""},
		"lists nested too deep":         {Field("a", Nested('A', 33)), "nested"},
		"as many headers":               {elements(8192), ""},
		"too many headers":              {elements(8193), "elements"},
		"as many elements of a table":   {Field("t", Long('F', elements(8192))), ""},
		"too many elements of a table":  {Field("t", Long('F', elements(8193))), "elements"},
		"as many elements of a list":    {Field("a", voids(8192)), ""},
		"too many elements of a list":   {Field("a", voids(8193)), "elements"},
		"as large a frame":              {sized(MaxFrame - 8), ""},
		"too large a frame":             {sized(MaxFrame - 7), "131073 bytes"},
		"the largest frame of RabbitMQ": {sized(MaxFrame), "131080 bytes"},
	}
}

// propertyTypes are the types of properties, in the order of their flags: s for a short string, F for headers, T for a time,
// m for a delivery mode, b for a priority, e for an expiration, u for a user.
const propertyTypes = "ssFmbssesTsuss"

// RandomProperties returns properties for Raw.Publish with any headers, of which some name the queues. The broker accepts most
// of them. AMQP libraries and the consumers of the queues must cope with them.
func RandomProperties(r *rand.Rand, queues []string) []byte {
	flags := binary.BigEndian.Uint16([]byte{randomByte(r), randomByte(r)}) &^ 3 // two bits are no flags
	var values []byte
	for i, kind := range []byte(propertyTypes) {
		flag := uint16(1) << (15 - i)
		switch {
		case kind == 'u' || kind == 'e' && r.IntN(10) > 0:
			flags &^= flag
		case kind == 'F':
			flags |= flag
			values = append(values, long(string(randomHeaders(r, queues)))...)
		case flags&flag == 0:
		case kind == 'm':
			values = append(values, 1+randomByte(r)%2)
		case kind == 'b':
			values = append(values, randomByte(r))
		case kind == 'T':
			values = binary.BigEndian.AppendUint64(values, r.Uint64())
		case kind == 'e':
			values = append(values, short("60000")...)
		case r.IntN(3) == 0:
			values = append(values, short(queues[r.IntN(len(queues))])...)
		default:
			values = append(values, short(randomText(r))...)
		}
	}
	return slices.Concat(binary.BigEndian.AppendUint16(nil, flags), values)
}

func randomHeaders(r *rand.Rand, queues []string) []byte {
	var fields []byte
	for range r.IntN(5) {
		fields = append(fields, Field(randomString(r, 40), randomValue(r, 3))...)
	}
	switch r.IntN(6) {
	case 0: // nested about as deep as libraries allow
		fields = append(fields, Field("nested", Nested("FA"[r.IntN(2)], 28+r.IntN(10)))...)
	case 1: // about as many elements
		fields = append(fields, Field("many", Long('A', slices.Repeat([]byte("V"), 8190+r.IntN(5))))...)
	case 2: // about as large as a frame
		size := MaxFrame - ContentHead - 2 - len(fields) - r.IntN(64)
		fields = append(fields, Field("large", Long('S', make([]byte, max(size, 0))))...)
	case 3: // for the broker, or as if by it
		name := [...]string{"CC", "BCC", "x-delivery-count", "x-acquired-count", "x-classic-delivery-count", "x-death"}[r.IntN(6)]
		value := "l" + string(binary.BigEndian.AppendUint64(nil, r.Uint64N(200)))
		if name == "CC" || name == "BCC" || r.IntN(4) == 0 {
			value = Long('A', []byte(Long('S', []byte(queues[r.IntN(len(queues))]))))
		}
		fields = append(fields, Field(name, value)...)
	}
	return fields
}

func randomByte(r *rand.Rand) byte { return byte(r.Uint32()) } //nolint:gosec // any

// randomText returns valid UTF-8, without which RabbitMQ refuses a short string.
func randomText(r *rand.Rand) string {
	return strings.ToValidUTF8(randomString(r, 255), "?")
}

func randomString(r *rand.Rand, limit int) string {
	text := make([]byte, r.IntN(limit))
	for i := range text {
		text[i] = randomByte(r)
	}
	return string(text)
}

// sizes are those of the types that always have the same.
var sizes = map[byte]int{
	't': 1, 'b': 1, 'B': 1, 's': 2, 'u': 2, 'I': 4, 'i': 4, 'f': 4, 'd': 8, 'D': 5, 'l': 8, 'L': 8, 'T': 8,
}

// randomValue returns a value of any type that RabbitMQ knows.
func randomValue(r *rand.Rand, depth int) string {
	kind := "tbBsuIilLfdDTVSxAF"[r.IntN(18)]
	content := make([]byte, sizes[kind])
	for i := range content {
		content[i] = randomByte(r)
	}
	switch kind {
	case 'f', 'd':
		clear(content[:2]) // Erlang knows neither infinity nor NaN
	case 'S', 'x':
		return Long(kind, []byte(randomString(r, 40)))
	case 'A', 'F':
		for range r.IntN(4) * min(depth, 1) {
			value := randomValue(r, depth-1)
			if kind == 'F' {
				value = string(Field(randomString(r, 10), value))
			}
			content = append(content, value...)
		}
		return Long(kind, content)
	}
	return string(kind) + string(content)
}
