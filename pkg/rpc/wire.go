package rpc

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The names and values on the wire; PROTOCOL.md says what they mean.
const (
	wireVersion = 1

	typeRequest = "rpc.request"
	typeReply   = "rpc.reply"

	headerPrefix   = "rpc-"
	headerVersion  = "rpc-version"
	headerMethod   = "rpc-method"
	headerPath     = "rpc-path"
	headerRoute    = "rpc-route"
	headerParams   = "rpc-params"
	headerQuery    = "rpc-query"
	headerHeaders  = "rpc-headers"
	headerIdentity = "rpc-identity"
	headerDeadline = "rpc-deadline"
	headerStatus   = "rpc-status"

	identitySubject   = "subject"
	identityUsername  = "username"
	identityScopes    = "scopes"
	identityTokenID   = "token-id"
	identityExpiresAt = "expires-at"
)

// maxTTL bounds what a forged deadline can make of a TTL: RabbitMQ closes the channel over one beyond 2^32 ms.
// https://www.rabbitmq.com/docs/ttl
const maxTTL = 24 * time.Hour

var errWrongVersion = fmt.Errorf("%s is not %d", headerVersion, wireVersion)

// ttlUntil is the TTL of a message that is worth nothing after deadline: at least a millisecond, since 0 is none.
func ttlUntil(deadline, now time.Time) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	return min(max(deadline.Sub(now).Truncate(time.Millisecond), time.Millisecond), maxTTL)
}

// setString sets what is not empty.
func setString(table map[string]any, name, value string) {
	if value != "" {
		table[name] = value
	}
}

// setLists sets lists of strings, a table of arrays, unless there are none.
func setLists(table map[string]any, name string, lists map[string][]string) {
	if len(lists) == 0 {
		return
	}
	out := make(map[string]any, len(lists))
	for key, values := range lists {
		out[key] = stringArray(values)
	}
	table[name] = out
}

func stringArray(values []string) []any {
	out := make([]any, len(values))
	for i, value := range values {
		out[i] = value
	}
	return out
}

// integer reads any of the integer types that a broker may deliver.
func integer(value any) (int64, bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case int:
		return int64(v), true
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	default:
		return 0, false
	}
}

// getInteger returns 0 and false if table has no such name.
func getInteger(table map[string]any, name string) (int64, bool, error) {
	value, ok := table[name]
	if !ok {
		return 0, false, nil
	}
	n, ok := integer(value)
	if !ok {
		return 0, false, fmt.Errorf("%s is %T, not an integer", name, value)
	}
	return n, true, nil
}

// getString returns "" if table has no such name.
func getString(table map[string]any, name string) (string, error) {
	value, ok := table[name]
	if !ok {
		return "", nil
	}
	s, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s is %T, not a string", name, value)
	}
	return s, nil
}

// getTable returns nil and false if table has no such name.
func getTable(table map[string]any, name string) (map[string]any, bool, error) {
	value, ok := table[name]
	if !ok {
		return nil, false, nil
	}
	t, ok := value.(map[string]any)
	if !ok {
		return nil, false, fmt.Errorf("%s is %T, not a table", name, value)
	}
	return t, true, nil
}

// getStrings returns nil if table has no such name.
func getStrings(table map[string]any, name string) ([]string, error) {
	value, ok := table[name]
	if !ok {
		return nil, nil
	}
	array, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s is %T, not an array", name, value)
	}
	out := make([]string, len(array))
	for i, element := range array {
		if out[i], ok = element.(string); !ok {
			return nil, fmt.Errorf("%s[%d] is %T, not a string", name, i, element)
		}
	}
	return out, nil
}

// getStringTable returns nil if table has no such name.
func getStringTable(table map[string]any, name string) (map[string]string, error) {
	inner, ok, err := getTable(table, name)
	if !ok || err != nil {
		return nil, err
	}
	out := make(map[string]string, len(inner))
	for key := range inner {
		if out[key], err = getString(inner, key); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return out, nil
}

// getLists returns nil if table has no such name.
func getLists(table map[string]any, name string) (map[string][]string, error) {
	inner, ok, err := getTable(table, name)
	if !ok || err != nil {
		return nil, err
	}
	out := make(map[string][]string, len(inner))
	for key := range inner {
		if out[key], err = getStrings(inner, key); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return out, nil
}

// getHeader returns nil if table has no HTTP headers. Names that differ in case alone are one header.
func getHeader(table map[string]any) (http.Header, error) {
	lists, err := getLists(table, headerHeaders)
	if err != nil || lists == nil {
		return nil, err
	}
	var others []string
	for name := range lists {
		if http.CanonicalHeaderKey(name) != name {
			others = append(others, name)
		}
	}
	header := http.Header(lists)
	slices.Sort(others)
	for _, name := range others {
		values := lists[name]
		delete(header, name)
		canonical := http.CanonicalHeaderKey(name)
		header[canonical] = append(header[canonical], values...)
	}
	return header, nil
}

// getVersion reports whether table carries a version, which must then be this one.
func getVersion(table map[string]any) (bool, error) {
	version, ok, err := getInteger(table, headerVersion)
	if err != nil {
		return false, err
	}
	if ok && version != wireVersion {
		return false, fmt.Errorf("%w but %d", errWrongVersion, version)
	}
	return ok, nil
}

func hasReserved(table map[string]any) bool {
	for name := range table {
		if strings.HasPrefix(name, headerPrefix) {
			return true
		}
	}
	return false
}

var errNoVersion = errors.New(headerVersion + " is missing")
