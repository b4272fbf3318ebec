package rabbitmqtest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Raw is an AMQP client that publishes the properties of messages as bytes, which no client library does.
type Raw struct {
	conn net.Conn
	in   *bufio.Reader
}

const (
	rawTimeout = time.Minute // of each call
	// MaxFrame is the largest frame, with its head and end, that a Raw negotiates with a node of the default configuration.
	MaxFrame = 128 << 10
	// ContentHead is what a content header frame has besides the properties and their flags.
	ContentHead = 7 + 12 + 1
)

// The types of frames, and the methods that a Raw sends and receives, as class and method.
const (
	frameMethod, frameHeader, frameBody = 1, 2, 3

	connectionStartOK, connectionTuneOK, connectionOpen, connectionClose = 10<<16 | 11, 10<<16 | 31, 10<<16 | 40, 10<<16 | 50
	channelOpen, channelClose                                            = 20<<16 | 10, 20<<16 | 40
	basicPublish, basicAck, basicNack                                    = 60<<16 | 40, 60<<16 | 80, 60<<16 | 120
	confirmSelect, confirmSelectOK                                       = 85<<16 | 10, 85<<16 | 11
)

// ErrRefused means that the broker closed the connection or the channel, and what it said.
var ErrRefused = errors.New("refused by the broker")

// DialRaw connects to an amqp:// URL.
func DialRaw(ctx context.Context, broker string) (*Raw, error) {
	u, err := url.Parse(broker)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{Timeout: rawTimeout}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	r := &Raw{conn, bufio.NewReader(conn)}
	if err := r.open(u); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", u.Host, errors.Join(err, conn.Close()))
	}
	return r, nil
}

// Close disconnects without a handshake.
func (r *Raw) Close() error { return r.conn.Close() }

// open opens the connection, and channel 1 with confirms. It does not wait for each of the broker's responses.
func (r *Raw) open(u *url.URL) error {
	_ = r.conn.SetDeadline(time.Now().Add(rawTimeout))
	password, _ := u.User.Password()
	plain := "\x00" + u.User.Username() + "\x00" + password
	host := cmp.Or(strings.TrimPrefix(u.Path, "/"), "/")
	tune := binary.BigEndian.AppendUint16(nil, 1) // channel
	tune = binary.BigEndian.AppendUint32(tune, MaxFrame)
	tune = binary.BigEndian.AppendUint16(tune, 0) // heartbeats
	_, err := r.conn.Write(slices.Concat(
		[]byte("AMQP\x00\x00\x09\x01"),
		method(0, connectionStartOK, long(""), short("PLAIN"), long(plain), short("en_US")),
		method(0, connectionTuneOK, tune),
		method(0, connectionOpen, short(host), short(""), []byte{0}),
		method(1, channelOpen, short("")),
		method(1, confirmSelect, []byte{0}),
	))
	if err != nil {
		return err
	}
	return r.await(confirmSelectOK)
}

// Publish publishes a message to a queue, and waits for the confirm. The properties begin with their flags. The error wraps
// ErrRefused if the broker does not accept the message, and then the client is of no use any more.
func (r *Raw) Publish(queue string, properties, body []byte) error {
	_ = r.conn.SetDeadline(time.Now().Add(rawTimeout))
	head := binary.BigEndian.AppendUint32(nil, 60<<16) // class and weight
	head = binary.BigEndian.AppendUint64(head, uint64(len(body)))
	data := slices.Concat(
		method(1, basicPublish, []byte{0, 0}, short(""), short(queue), []byte{0}),
		Frame(frameHeader, 1, head, properties),
	)
	for part := range slices.Chunk(body, MaxFrame-8) {
		data = append(data, Frame(frameBody, 1, part)...)
	}
	if _, err := r.conn.Write(data); err != nil {
		return errors.Join(err, r.await(basicAck)) // the broker says why it reads no more
	}
	return r.await(basicAck)
}

// await reads frames until a method comes.
func (r *Raw) await(want uint32) error {
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(r.in, head); err != nil {
			return err
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(r.in, payload); err != nil {
			return err
		}
		if head[0] != frameMethod {
			continue
		}
		switch got := binary.BigEndian.Uint32(payload); got {
		case want:
			return nil
		case connectionClose, channelClose:
			reason := payload[7 : 7+int(payload[6])]
			return fmt.Errorf("%w: %d %s", ErrRefused, binary.BigEndian.Uint16(payload[4:]), reason)
		case basicNack:
			return fmt.Errorf("%w: basic.nack", ErrRefused)
		}
	}
}

// Frame returns a frame of AMQP.
func Frame(kind byte, channel uint16, payload ...[]byte) []byte {
	data := slices.Concat(payload...)
	out := binary.BigEndian.AppendUint16([]byte{kind}, channel)
	out = binary.BigEndian.AppendUint32(out, uint32(len(data))) //nolint:gosec // the payload of a test
	return append(append(out, data...), 0xCE)
}

func method(channel uint16, id uint32, arguments ...[]byte) []byte {
	return Frame(frameMethod, channel, binary.BigEndian.AppendUint32(nil, id), slices.Concat(arguments...))
}

func short(s string) []byte { return append([]byte{byte(len(s))}, s...) } //nolint:gosec // AMQP limits short strings to 255 bytes

func long(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) //nolint:gosec // the string of a test
}
