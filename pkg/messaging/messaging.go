// Package messaging is the port through which services exchange messages: named queues, publishers and subscribers. It
// knows no protocol. Package inmem carries messages within a process, package rabbitmq carries them over RabbitMQ, and both
// pass the contract in package messagingtest.
//
// # Roles
//
// A consumer of this package depends on the role that it needs:
//
//   - [Publisher] waits until the broker has confirmed a message. Use it for messages that nothing else confirms.
//   - [Sender] does not wait. Use it where another message confirms the first, as a reply confirms a request.
//   - [Subscriber] receives messages.
//   - [Inspector] looks at queues. It is for metrics and tools.
//
// [Broker] is a connection in all roles. The program that creates it also watches Ready and calls Close.
//
// # Messages and queues
//
// A [Message] has properties, headers and a body. A [Queue] has a name and settings, and exists once a Sender or a Subscriber
// has declared it. Nothing in a message chooses its queue: that is an argument of Publish and Send.
//
// # Delivery
//
// Delivery is at least once. A message is delivered again when its [Handler] returns an error, and when its consumer
// disappears before it acknowledges. Handlers that change state must therefore be idempotent. A subscription stays live
// across lost connections until Drain.
//
// # Failures
//
// Each error wraps one of this package's, such as [ErrUnavailable] or [ErrUnconfirmed]; compare them with errors.Is. A
// handler marks an error with [Reject] when another delivery cannot succeed. Rejected messages, and messages that reach the
// queue's DeliveryLimit, go to its dead-letter queue; package deadletter looks into it.
package messaging
