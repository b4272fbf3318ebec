package rpc

import (
	"fmt"
	"net/http"
	"time"
)

// The names and values on the wire; PROTOCOL.md says what they mean.
const (
	wireVersion = 1

	typeRequest = "rpc.request"
	typeReply   = "rpc.reply"

	headerVersion  = "rpc-version"
	headerRequest  = "rpc-request"
	headerIdentity = "rpc-identity"
	headerDeadline = "rpc-deadline"
	headerStatus   = "rpc-status"
	headerHeaders  = "rpc-headers"

	requestMethod = "method"
	requestPath   = "path"
	requestRoute  = "route"
	// Names with these prefixes hold one of several values.
	requestParam  = "param."
	requestQuery  = "query."
	requestHeader = "header."

	identitySubject   = "subject"
	identityUsername  = "username"
	identityScope     = "scope"
	identityTokenID   = "token-id"
	identityExpiresAt = "expires-at"
)

// maxTTL bounds what a forged deadline can make of a TTL: RabbitMQ closes the channel over one beyond 2^32 ms.
// https://www.rabbitmq.com/docs/ttl
const maxTTL = 24 * time.Hour

// ttlUntil is the TTL of a message that is worth nothing after deadline: at least a millisecond, since 0 is none.
func ttlUntil(deadline, now time.Time) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	return min(max(deadline.Sub(now).Truncate(time.Millisecond), time.Millisecond), maxTTL)
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

// addHeader adds a value of an HTTP header, whose name counts without regard to case.
func addHeader(header *http.Header, name, value string) {
	if *header == nil {
		*header = http.Header{}
	}
	header.Add(name, value)
}

// checkVersion refuses messages of another version. Without one they are of this one.
func checkVersion(table map[string]any) error {
	version, ok, err := getInteger(table, headerVersion)
	if err != nil {
		return err
	}
	if ok && version != wireVersion {
		return fmt.Errorf("%s is %d, not %d", headerVersion, version, wireVersion)
	}
	return nil
}
