package rabbitmqtest

import (
	"context"
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

// The first bytes of a connection are the client's protocol header. The server responds with a method frame on channel 0.
// See sections 4.2.2 and 4.2.3 of AMQP 0-9-1.
const (
	protocolHeader = "AMQP\x00\x00\x09\x01"
	methodFrame    = "\x01\x00\x00"
)

var errEnded = errors.New("server ended")

// awaitAMQP returns once the server responds on port.
func awaitAMQP(ctx context.Context, server *process.Process, port int) error {
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for {
		err := tryAMQP(ctx, port)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-server.Done():
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("%w; last attempt: %w", ctx.Err(), err)
		}
	}
}

func tryAMQP(ctx context.Context, port int) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address(port))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, protocolHeader); err != nil {
		return err
	}
	response := make([]byte, len(methodFrame))
	if _, err := io.ReadFull(conn, response); err != nil {
		return err
	}
	if string(response) != methodFrame {
		return fmt.Errorf("port %d responded %q: not an AMQP 0-9-1 server", port, response)
	}
	return nil
}
