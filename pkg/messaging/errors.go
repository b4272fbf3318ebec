package messaging

import (
	"errors"
	"fmt"

	"example.com/warren/pkg/messaging/internal/seam"
)

// The errors that brokers return, wrapped with what was tried.
var (
	// ErrUnavailable means that the message was not sent: the broker is away, or refuses messages for now (RabbitMQ's
	// memory and disk alarms, a full queue).
	ErrUnavailable = errors.New("broker unavailable")
	// ErrUnconfirmed means that Publish handed the message over and no confirm came. The broker may have taken it.
	ErrUnconfirmed = errors.New("message unconfirmed")
	// ErrUnroutable: no queue takes the message.
	ErrUnroutable = errors.New("message unroutable")
	// ErrQueueInUse: another consumer holds the queue exclusively, or an exclusive consumer is not alone.
	ErrQueueInUse = errors.New("queue in use by another consumer")
	// ErrInvalidMessage: the message can't be carried.
	ErrInvalidMessage = errors.New("invalid message")
	// ErrInvalidQueue: the queue can't be declared.
	ErrInvalidQueue = errors.New("invalid queue")
	// ErrClosed: the broker was closed by this process.
	ErrClosed = errors.New("broker closed")
)

// The kinds of ErrInvalidMessage that a sender can do something about.
var (
	ErrHeadersTooLarge = fmt.Errorf("%w: headers too large", ErrInvalidMessage)
	ErrBodyTooLarge    = fmt.Errorf("%w: body too large", ErrInvalidMessage)
)

// Reject marks a handler's error as final: the message is not delivered again, it goes to the queue's dead-letter
// queue at once.
func Reject(err error) error { return seam.Rejection{Err: err} }
