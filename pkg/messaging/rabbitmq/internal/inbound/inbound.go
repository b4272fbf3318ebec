// Package inbound keeps messages from an AMQP library that it cannot decode.
//
// RabbitMQ accepts messages that amqp091-go 1.16 refuses to decode: with header fields of type L, with headers nested over 32
// deep or over 8,192 elements in one of their tables or lists, or with a content header frame beyond the negotiated size. The
// library closes the connection at such a message, and the broker delivers it again on the next one, so that one message stops
// a service. A [Conn] stands between the connection and the library. It changes fields of type L to type l, because RabbitMQ
// reads both as a signed integer, and puts a note, deadletter.NoteHeader, in place of other headers that the library refuses. A
// consumer sets messages with the note aside.
//
// To delete the package, when the library no longer closes the connection, remove what the compiler then reports.
package inbound

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"

	"example.com/warren/pkg/messaging/deadletter"
)

// A frame has a type (1 octet), a channel (2), the size of its payload (4), the payload, and an end (1). The payload of a
// content header has a class (2), a weight (2), the size of the body (8), the flags of its properties (2), and the properties.
// See https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, section 4.2.
const (
	contentHeader = 2 // a frame's type
	sizeAt        = 1 + 2
	frameHead     = sizeAt + 4
	frameEnd      = 1
	flagsAt       = frameHead + 2 + 2 + 8
	propertiesAt  = flagsAt + 2
	// maxContentHeader bounds what is read into memory. The broker adds headers to messages, but not as many.
	maxContentHeader = 16 << 20
	bufferSize       = 64 << 10
)

// propertyTypes are in the order of the flags, from the highest bit. A shortString is no field of a table.
const (
	propertyTypes = "ssFbbssssTssss"
	shortString   = 's'
	headersFlag   = 1 << 13
)

// The library's limits.
const (
	maxFieldDepth = 32
	maxElements   = 8192
)

var errMalformed = errors.New("malformed properties")

// Conn is a connection from which the library reads only content headers that it can decode.
type Conn struct {
	net.Conn
	source    *bufio.Reader // of Conn
	frameSize atomic.Int64  // the largest frame that the library accepts; 0: any

	// For the library's reader alone:
	pass    int    // how many bytes of the current frame to read as they are
	checked []byte // what is left to read of a content header
}

// New returns a connection that reads from conn.
func New(conn net.Conn) *Conn {
	return &Conn{Conn: conn, source: bufio.NewReaderSize(conn, bufferSize)}
}

// LimitFrames sets the size of the largest frame that the library accepts. Call it once that is negotiated.
func (in *Conn) LimitFrames(size int) { in.frameSize.Store(int64(size)) }

// Read implements net.Conn.
func (in *Conn) Read(p []byte) (int, error) {
	if in.pass == 0 && len(in.checked) == 0 {
		if err := in.next(); err != nil {
			return 0, err
		}
	}
	if len(in.checked) > 0 {
		n := copy(p, in.checked)
		in.checked = in.checked[n:]
		return n, nil
	}
	n, err := in.source.Read(p[:min(len(p), in.pass)])
	in.pass -= n
	return n, err
}

// next begins a frame.
func (in *Conn) next() error {
	head, err := in.source.Peek(frameHead)
	if err != nil {
		return err
	}
	size := frameHead + int(binary.BigEndian.Uint32(head[sizeAt:])) + frameEnd
	if head[0] != contentHeader || size < propertiesAt+frameEnd || size > maxContentHeader {
		in.pass = size
		return nil
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(in.source, frame); err != nil {
		return err
	}
	in.checked = checkContentHeader(frame, int(in.frameSize.Load()))
	return nil
}

// checkContentHeader returns a frame that the library can decode: the given one, or one with a note in place of its headers.
func checkContentHeader(frame []byte, frameSize int) []byte {
	flags := binary.BigEndian.Uint16(frame[flagsAt:])
	properties := frame[propertiesAt : len(frame)-frameEnd]
	var before, headers []byte
	afterAt := 0 // where the properties after the headers begin
	rest := properties
	for i, kind := range []byte(propertyTypes) {
		if flags&(1<<(15-i)) == 0 {
			continue
		}
		size, err := propertySize(kind, rest)
		if err != nil {
			return withNote(frame, headersFlag, nil, nil, err)
		}
		if kind == 'F' {
			before, headers = properties[:len(properties)-len(rest)], rest[4:size]
			afterAt = len(before) + size
		}
		rest = rest[size:]
	}
	err := checkFields(headers, true, 0)
	if err == nil && frameSize > 0 && len(frame) > frameSize {
		err = fmt.Errorf("a content header frame of %d bytes, %d are negotiated", len(frame), frameSize)
	}
	switch {
	case err == nil:
		return frame
	case flags&headersFlag == 0: // no broker sends so many bytes after the properties
		return withNote(frame, headersFlag, nil, nil, err)
	default:
		return withNote(frame, flags, before, properties[afterAt:len(properties)-len(rest)], err)
	}
}

// withNote returns frame with other properties: those before the headers, a note of why there are no headers, and those after.
func withNote(frame []byte, flags uint16, before, after []byte, why error) []byte {
	const name = deadletter.NoteHeader
	note := append([]byte{byte(len(name))}, name...)
	note = append(note, 'S')
	note = binary.BigEndian.AppendUint32(note, uint32(len(why.Error()))) //nolint:gosec // short
	note = append(note, why.Error()...)

	noted := slices.Clone(frame[:flagsAt])
	noted = binary.BigEndian.AppendUint16(noted, flags)
	noted = append(noted, before...)
	noted = binary.BigEndian.AppendUint32(noted, uint32(len(note))) //nolint:gosec // short
	noted = append(noted, note...)
	noted = append(noted, after...)
	binary.BigEndian.PutUint32(noted[sizeAt:], uint32(len(noted)-frameHead)) //nolint:gosec // no more than in frame, or short
	return append(noted, frame[len(frame)-frameEnd])
}

// checkFields returns why the library would refuse the fields of a table, which have names, or of a list. It changes fields
// of type L to type l.
func checkFields(fields []byte, named bool, depth int) error {
	if depth > maxFieldDepth {
		return fmt.Errorf("headers nested over %d deep", maxFieldDepth)
	}
	for n := 0; len(fields) > 0; n++ {
		if n == maxElements {
			return fmt.Errorf("over %d elements in a header", maxElements)
		}
		if named {
			size, err := propertySize(shortString, fields)
			if err != nil || size == len(fields) {
				return errMalformed
			}
			fields = fields[size:]
		}
		kind := fields[0]
		if kind == 'L' {
			fields[0] = 'l'
		}
		size, err := fieldSize(kind, fields[1:])
		if err != nil {
			return err
		}
		if kind == 'F' || kind == 'A' {
			if err := checkFields(fields[1+4:1+size], kind == 'F', depth+1); err != nil {
				return err
			}
		}
		fields = fields[1+size:]
	}
	return nil
}

// propertySize returns the encoded size of a property that data begins with.
func propertySize(kind byte, data []byte) (int, error) {
	if kind != shortString {
		return fieldSize(kind, data)
	}
	if len(data) == 0 || len(data) < 1+int(data[0]) {
		return 0, errMalformed
	}
	return 1 + int(data[0]), nil
}

// fieldSize returns the encoded size of a field's value that data begins with.
// See https://www.rabbitmq.com/docs/amqp-0-9-1-errata#field-types.
func fieldSize(kind byte, data []byte) (size int, err error) {
	switch kind {
	case 'V':
	case 't', 'b', 'B':
		size = 1
	case 's', 'u':
		size = 2
	case 'I', 'i', 'f':
		size = 4
	case 'D':
		size = 5
	case 'l', 'L', 'd', 'T':
		size = 8
	case 'S', 'x', 'A', 'F':
		if len(data) < 4 {
			return 0, errMalformed
		}
		size = 4 + int(binary.BigEndian.Uint32(data))
	default:
		return 0, fmt.Errorf("a header of the unknown type %q", kind)
	}
	if len(data) < size {
		return 0, errMalformed
	}
	return size, nil
}
