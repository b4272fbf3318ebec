package driver

import (
	"slices"
	"time"

	"example.com/warren/pkg/messaging"
)

// ConvertHeaders returns headers, of a valid message, as a table of type To: nested tables of type From become tables of
// type To, lists are copied, and scalar converts every value but nil, bool, string, int64 and float64; see [Widen]. The
// result is nil if headers is empty. Nested tables and lists are never nil.
func ConvertHeaders[To, From ~map[string]any](headers From, scalar func(any) any) To {
	if len(headers) == 0 {
		return nil
	}
	return convertTable[To](headers, scalar)
}

func convertTable[To, From ~map[string]any](table From, scalar func(any) any) To {
	out := make(To, len(table))
	for name, value := range table {
		out[name] = convert[To, From](value, scalar)
	}
	return out
}

func convert[To, From ~map[string]any](value any, scalar func(any) any) any {
	switch v := value.(type) {
	case nil, bool, string, int64, float64: // without an allocation
		return value
	case From:
		return convertTable[To](v, scalar)
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = convert[To, From](element, scalar)
		}
		return out
	default:
		return scalar(value)
	}
}

// Widen returns a scalar as messaging.Message documents it for delivered messages: integers as int64, floats as float64,
// times in UTC without fractions of a second. Byte slices are copied; other values stay as they are.
func Widen(value any) any {
	switch v := value.(type) {
	case float32:
		return float64(v)
	case []byte:
		return slices.Clone(v)
	case time.Time:
		return carriedTime(v)
	}
	if n, ok := Integer(value); ok {
		return n
	}
	return value
}

// Integer returns value as int64 if it is an integer of any size.
func Integer(value any) (n int64, ok bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case int8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint:
		return int64(v), true //nolint:gosec // ValidateMessage rejects what does not fit
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint64:
		return int64(v), true //nolint:gosec // ValidateMessage rejects what does not fit
	default:
		return 0, false
	}
}

// Normalize returns a deep copy of m as a broker delivers it, so that sender and receiver share no memory that either may
// change.
func Normalize(m messaging.Message) messaging.Message {
	m.Headers = ConvertHeaders[map[string]any](m.Headers, Widen)
	m.Body = slices.Clone(m.Body)
	m.Timestamp = carriedTime(m.Timestamp)
	if m.TTL > 0 {
		m.TTL = max(m.TTL.Truncate(time.Millisecond), time.Millisecond)
	}
	return m
}

func carriedTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}
