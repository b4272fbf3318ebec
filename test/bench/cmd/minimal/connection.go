package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	requests = "minimal.requests"
	replies  = "minimal.replies"

	// prefetch, ackBatch and ackDelay have the values of command raw.
	prefetch = 1000
	ackBatch = 100
	ackDelay = 10 * time.Millisecond

	readBuffer = 64 << 10
)

var errClosed = errors.New("connection closed")

// connection is a connection with one channel, which publishes and consumes.
type connection struct {
	conn  net.Conn
	in    frameReader
	wake  chan struct{}
	mu    sync.Mutex
	out   []byte
	last  uint64 // the last delivery handled
	count int    // deliveries handled since the last acknowledgement
}

// dial connects and declares the queues.
func dial(rawURL string) (*connection, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("parse the broker's URL: %w", err)
	}
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(context.Background(), "tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &connection{conn: conn, in: frameReader{in: bufio.NewReaderSize(conn, readBuffer)}, wake: make(chan struct{}, 1)}
	if err := c.open(u); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open the connection: %w", err)
	}
	return c, nil
}

func (c *connection) open(u *url.URL) error {
	if _, err := c.conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	if _, err := c.in.await(connectionStart); err != nil {
		return err
	}
	password, _ := u.User.Password()
	login := "\x00" + u.User.Username() + "\x00" + password
	startOk := binary.BigEndian.AppendUint32(nil, 0) // no client properties
	startOk = appendShort(startOk, "PLAIN")
	startOk = binary.BigEndian.AppendUint32(startOk, uint32(len(login))) //nolint:gosec // short
	startOk = appendShort(append(startOk, login...), "en_US")
	if err := c.send(0, connectionStartOk, startOk); err != nil {
		return err
	}
	tune, err := c.in.await(connectionTune)
	if err != nil {
		return err
	}
	tuneOk := binary.BigEndian.AppendUint16(append([]byte(nil), tune[:6]...), 0) // no heartbeat
	if err := c.send(0, connectionTuneOk, tuneOk); err != nil {
		return err
	}
	host := strings.TrimPrefix(u.Path, "/")
	if host == "" {
		host = "/"
	}
	if err := c.call(0, connectionOpen, connectionOpenOk, append(appendShort(nil, host), 0, 0)); err != nil {
		return err
	}
	if err := c.call(1, channelOpen, channelOpenOk, []byte{0}); err != nil {
		return err
	}
	for _, queue := range []string{requests, replies} {
		durable := append(appendShort([]byte{0, 0}, queue), 2, 0, 0, 0, 0)
		if err := c.call(1, queueDeclare, queueDeclareOk, durable); err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) send(channel uint16, m method, arguments []byte) error {
	_, err := c.conn.Write(appendMethod(nil, channel, m, arguments...))
	return err
}

func (c *connection) call(channel uint16, m, reply method, arguments []byte) error {
	if err := c.send(channel, m, arguments); err != nil {
		return err
	}
	_, err := c.in.await(reply)
	return err
}

// purge removes what an earlier run left in a queue.
func (c *connection) purge(queue string) error {
	return c.call(1, queuePurge, queuePurgeOk, append(appendShort([]byte{0, 0}, queue), 0))
}

// consume handles the messages of a queue until the connection ends. Call only publish and close after it.
func (c *connection) consume(queue string, handle func(message) error) error {
	qos := binary.BigEndian.AppendUint16([]byte{0, 0, 0, 0}, prefetch)
	if err := c.call(1, basicQos, basicQosOk, append(qos, 0)); err != nil {
		return err
	}
	arguments := append(appendShort([]byte{0, 0}, queue), 1, '1', 0, 0, 0, 0, 0)
	if err := c.call(1, basicConsume, basicConsumeOk, arguments); err != nil {
		return err
	}
	go c.flush()
	go c.acknowledgeLate()
	for {
		f, err := c.in.next()
		if err != nil {
			return err
		}
		if f.kind == methodFrame && method(binary.BigEndian.Uint32(f.payload)) == connectionCloseOk {
			return errClosed
		}
		if f.kind != methodFrame || method(binary.BigEndian.Uint32(f.payload)) != basicDeliver {
			return fmt.Errorf("%w: %q", errMethod, f.payload)
		}
		m, err := c.in.readMessage(f.payload[4:])
		if err != nil {
			return err
		}
		if err := handle(m); err != nil {
			return err
		}
		c.handled(m.tag)
	}
}

// close asks the broker to end the connection, and with it consume.
func (c *connection) close() {
	normal := append(appendShort([]byte{0, 200}, "bye"), 0, 0, 0, 0)
	c.mu.Lock()
	c.out = appendMethod(c.out, 0, connectionClose, normal...)
	c.mu.Unlock()
	c.signal()
}

func (c *connection) publish(queue string, m message, contentType string, body []byte) {
	c.mu.Lock()
	c.out = appendPublish(c.out, queue, m, contentType, body)
	c.mu.Unlock()
	c.signal()
}

func (c *connection) handled(tag uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = tag
	if c.count++; c.count >= ackBatch {
		c.acknowledge()
	}
}

// acknowledgeLate acknowledges deliveries that do not fill a batch.
func (c *connection) acknowledgeLate() {
	for range time.Tick(ackDelay) {
		c.mu.Lock()
		if c.count > 0 {
			c.acknowledge()
		}
		c.mu.Unlock()
	}
}

func (c *connection) acknowledge() {
	c.out = appendAck(c.out, c.last)
	c.count = 0
	c.signal()
}

func (c *connection) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// flush writes gathered frames until the connection ends.
func (c *connection) flush() {
	var spare []byte
	for range c.wake {
		runtime.Gosched() // callers that are about to publish join this write
		c.mu.Lock()
		batch := c.out
		c.out = spare[:0]
		c.mu.Unlock()
		if _, err := c.conn.Write(batch); err != nil {
			return
		}
		spare = batch
	}
}
