package rabbitmqtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"example.com/warren/pkg/process"
)

const (
	readyInterval = 50 * time.Millisecond
	dialTimeout   = time.Second
)

// The first bytes of a connection are the client's protocol header. The server responds with a method frame on channel 0,
// whose size follows. See sections 4.2.2 and 4.2.3 of AMQP 0-9-1.
const (
	protocolHeader = "AMQP\x00\x00\x09\x01"
	methodFrame    = "\x01\x00\x00"
	maxStart       = 64 << 10 // far larger than a connection.start method
)

var errEnded = errors.New("server ended")

// awaitAMQP returns the version of the server once it responds on port.
func awaitAMQP(ctx context.Context, server *process.Process, port int) (version string, err error) {
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for {
		version, err := tryAMQP(ctx, port)
		if err == nil {
			return version, nil
		}
		select {
		case <-ticker.C:
		case <-server.Done():
			return "", errEnded
		case <-ctx.Done():
			return "", fmt.Errorf("%w; last attempt: %w", ctx.Err(), err)
		}
	}
}

func tryAMQP(ctx context.Context, port int) (version string, err error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address(port))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, protocolHeader); err != nil {
		return "", err
	}
	response := make([]byte, len(methodFrame)+4)
	if _, err := io.ReadFull(conn, response); err != nil {
		return "", err
	}
	size := binary.BigEndian.Uint32(response[len(methodFrame):])
	if !bytes.HasPrefix(response, []byte(methodFrame)) || size > maxStart {
		return "", fmt.Errorf("port %d responded %q: not an AMQP 0-9-1 server", port, response)
	}
	start := make([]byte, size)
	if _, err := io.ReadFull(conn, start); err != nil {
		return "", err
	}
	return versionIn(start)
}
