package messaging

import (
	"errors"
	"fmt"

	"example.com/warren/pkg/messaging/internal/seam"
)

// Errors of all brokers. The returned error wraps one of them and says what was attempted.
var (
	// ErrUnavailable means that the message was not sent: the broker is away, or refuses messages for now because of its
	// memory or disk alarm or a full queue.
	ErrUnavailable = errors.New("broker unavailable")
	// ErrUnconfirmed means that Publish handed the message over and no confirm came. The broker may have taken it.
	ErrUnconfirmed = errors.New("message unconfirmed")
	// ErrUnroutable means that no queue takes the message.
	ErrUnroutable = errors.New("message unroutable")
	// ErrQueueInUse means that another consumer is exclusive, or that an exclusive consumer is not the only one.
	ErrQueueInUse = errors.New("queue in use by another consumer")
	// ErrInvalidMessage means that the message breaks a limit or a rule of Message.
	ErrInvalidMessage = errors.New("invalid message")
	// ErrInvalidQueue means that the queue breaks a limit or a rule of Queue.
	ErrInvalidQueue = errors.New("invalid queue")
	// ErrClosed means that this process has closed the broker.
	ErrClosed = errors.New("broker closed")
)

// Kinds of ErrInvalidMessage that a sender can report to its own caller.
var (
	ErrHeadersTooLarge = fmt.Errorf("%w: headers too large", ErrInvalidMessage)
	ErrBodyTooLarge    = fmt.Errorf("%w: body too large", ErrInvalidMessage)
)

// Reject marks a handler's error as final: the message is not delivered again and goes to the dead-letter queue at once.
func Reject(err error) error { return seam.Rejection{Err: err} }
