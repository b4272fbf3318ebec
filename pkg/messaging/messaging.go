// Package messaging is the port through which services exchange messages: named queues, a publisher and
// subscribers. It knows no protocol; package inmem carries messages inside one process, package rabbitmq carries
// them over RabbitMQ, and package messagingtest holds what both must do.
//
// Delivery is at least once: a message is delivered again when its handler fails, or when its consumer vanishes
// before it has acknowledged. Handlers that change state must therefore be idempotent.
package messaging
