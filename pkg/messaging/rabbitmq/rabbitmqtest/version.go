package rabbitmqtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
)

// versionVariable names the version that tests must run on, such as 4.3. Default: any.
const versionVariable = "RABBITMQ"

// errOtherVersion is the error of a broker that is not of the version that RABBITMQ names.
var errOtherVersion = errors.New("broker of another version: run make rabbitmq with the same RABBITMQ")

// checkVersion returns an error unless the version of a broker, such as 4.3.6, is the one that RABBITMQ names.
func checkVersion(got string) error {
	wanted := os.Getenv(versionVariable)
	if wanted == "" || got == wanted || strings.HasPrefix(got, wanted+".") {
		return nil
	}
	return fmt.Errorf("RABBITMQ=%s, but the broker is RabbitMQ %s: %w", wanted, got, errOtherVersion)
}

// versionIn returns the version in the server properties of a connection.start method. See section 1.4.2.1 of AMQP 0-9-1.
func versionIn(start []byte) (string, error) {
	const shortString, longString = "\x07version", "S"
	_, value, _ := bytes.Cut(start, []byte(shortString+longString))
	if len(value) > 4 {
		if n := binary.BigEndian.Uint32(value); n <= uint32(len(value)-4) { //nolint:gosec // a frame's length fits
			return string(value[4 : 4+n]), nil
		}
	}
	return "", fmt.Errorf("no version in the server properties %q", start)
}
