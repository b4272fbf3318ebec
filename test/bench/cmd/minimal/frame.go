package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frame types and the frame-end octet (AMQP 0-9-1 specification, section 4.2).
const (
	methodFrame = 1
	headerFrame = 2
	bodyFrame   = 3
	frameEnd    = 0xCE

	frameHeaderBytes = 7
)

// method is a class number and a method number, as encoded in a frame.
type method uint32

const (
	connectionStart   method = 10<<16 | 10
	connectionStartOk method = 10<<16 | 11
	connectionTune    method = 10<<16 | 30
	connectionTuneOk  method = 10<<16 | 31
	connectionOpen    method = 10<<16 | 40
	connectionOpenOk  method = 10<<16 | 41
	connectionClose   method = 10<<16 | 50
	connectionCloseOk method = 10<<16 | 51
	channelOpen       method = 20<<16 | 10
	channelOpenOk     method = 20<<16 | 11
	queueDeclare      method = 50<<16 | 10
	queueDeclareOk    method = 50<<16 | 11
	queuePurge        method = 50<<16 | 30
	queuePurgeOk      method = 50<<16 | 31
	basicQos          method = 60<<16 | 10
	basicQosOk        method = 60<<16 | 11
	basicConsume      method = 60<<16 | 20
	basicConsumeOk    method = 60<<16 | 21
	basicPublish      method = 60<<16 | 40
	basicDeliver      method = 60<<16 | 60
	basicAck          method = 60<<16 | 80
)

// Flags of the content header properties that this program sends or reads. The first property has the highest bit.
const (
	hasContentType   = 1 << 15
	hasCorrelationID = 1 << 10
	hasReplyTo       = 1 << 9
	known            = hasContentType | hasCorrelationID | hasReplyTo

	basicClass = 60
)

var (
	errFrame  = errors.New("malformed or unsupported frame")
	errMethod = errors.New("unexpected method")
)

// frame is one frame. Its payload is valid until the next frame is read.
type frame struct {
	kind    byte
	payload []byte
}

type frameReader struct {
	in  *bufio.Reader
	buf []byte
}

func (r *frameReader) next() (frame, error) {
	header, err := r.in.Peek(frameHeaderBytes)
	if err != nil {
		return frame{}, err
	}
	kind, size := header[0], int(binary.BigEndian.Uint32(header[3:]))
	if _, err := r.in.Discard(frameHeaderBytes); err != nil {
		return frame{}, err
	}
	if cap(r.buf) < size+1 {
		r.buf = make([]byte, size+1)
	}
	r.buf = r.buf[:size+1]
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return frame{}, err
	}
	if r.buf[size] != frameEnd {
		return frame{}, errFrame
	}
	return frame{kind, r.buf[:size]}, nil
}

// await reads a frame, which must be the wanted method, and returns the method's arguments.
func (r *frameReader) await(want method) ([]byte, error) {
	f, err := r.next()
	if err != nil {
		return nil, err
	}
	if f.kind != methodFrame || method(binary.BigEndian.Uint32(f.payload)) != want {
		return nil, fmt.Errorf("%w: got %q, want %d.%d", errMethod, f.payload, want>>16, want&0xFFFF)
	}
	return f.payload[4:], nil
}

// message is a delivery, or a message to publish.
type message struct {
	tag           uint64
	correlationID string
	replyTo       string
	body          int // bytes
}

// readMessage reads the content header and body that follow a basic.deliver.
func (r *frameReader) readMessage(deliver []byte) (message, error) {
	var m message
	_, rest := cutShort(deliver)
	m.tag = binary.BigEndian.Uint64(rest)
	header, err := r.next()
	if err != nil {
		return m, err
	}
	flags := binary.BigEndian.Uint16(header.payload[12:])
	if header.kind != headerFrame || flags&^known != 0 {
		return m, errFrame
	}
	properties := header.payload[14:]
	if flags&hasContentType != 0 {
		_, properties = cutShort(properties)
	}
	if flags&hasCorrelationID != 0 {
		m.correlationID, properties = cutShort(properties)
	}
	if flags&hasReplyTo != 0 {
		m.replyTo, _ = cutShort(properties)
	}
	size := int(binary.BigEndian.Uint64(header.payload[4:])) //nolint:gosec // small
	for m.body < size {
		body, err := r.next()
		if err != nil {
			return m, err
		}
		m.body += len(body.payload)
	}
	return m, nil
}

func cutShort(b []byte) (string, []byte) {
	n := int(b[0])
	return string(b[1 : 1+n]), b[1+n:]
}

// begin appends the header of a frame. Function end fills in the size.
func begin(out []byte, kind byte, channel uint16) ([]byte, int) {
	out = append(out, kind)
	out = binary.BigEndian.AppendUint16(out, channel)
	out = binary.BigEndian.AppendUint32(out, 0)
	return out, len(out)
}

func end(out []byte, start int) []byte {
	binary.BigEndian.PutUint32(out[start-4:], uint32(len(out)-start)) //nolint:gosec // frames are small
	return append(out, frameEnd)
}

// appendMethod appends a method frame.
func appendMethod(out []byte, channel uint16, m method, arguments ...byte) []byte {
	out, start := begin(out, methodFrame, channel)
	out = binary.BigEndian.AppendUint32(out, uint32(m))
	return end(append(out, arguments...), start)
}

func appendShort(out []byte, s string) []byte {
	return append(append(out, byte(len(s))), s...) //nolint:gosec // names are short
}

// appendPublish appends the frames that publish a message.
func appendPublish(out []byte, queue string, m message, contentType string, body []byte) []byte {
	out, start := begin(out, methodFrame, 1)
	out = binary.BigEndian.AppendUint32(out, uint32(basicPublish))
	out = append(out, 0, 0, 0) // reserved-1, default exchange
	out = appendShort(out, queue)
	out = end(append(out, 0), start)

	out, start = begin(out, headerFrame, 1)
	out = binary.BigEndian.AppendUint32(out, basicClass<<16)
	out = binary.BigEndian.AppendUint64(out, uint64(len(body)))
	flags := uint16(hasCorrelationID)
	if contentType != "" {
		flags |= hasContentType
	}
	if m.replyTo != "" {
		flags |= hasReplyTo
	}
	out = binary.BigEndian.AppendUint16(out, flags)
	if contentType != "" {
		out = appendShort(out, contentType)
	}
	out = appendShort(out, m.correlationID)
	if m.replyTo != "" {
		out = appendShort(out, m.replyTo)
	}
	out = end(out, start)
	if len(body) == 0 {
		return out
	}
	out, start = begin(out, bodyFrame, 1)
	return end(append(out, body...), start)
}

// appendAck appends the acknowledgement of all deliveries up to a tag.
func appendAck(out []byte, tag uint64) []byte {
	out, start := begin(out, methodFrame, 1)
	out = binary.BigEndian.AppendUint32(out, uint32(basicAck))
	out = binary.BigEndian.AppendUint64(out, tag)
	return end(append(out, 1), start)
}
