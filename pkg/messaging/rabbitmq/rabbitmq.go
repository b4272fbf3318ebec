// Package rabbitmq carries messages over RabbitMQ 3.10 and later, with AMQP 0-9-1.
//
// A Broker keeps two connections, each dialled again for ever when it is lost: one publishes, the other consumes and
// declares, because RabbitMQ stops reading from connections that publish when it is low on memory or disk, and
// acknowledgements must still flow then. What a connection carried belongs to it: channels, delivery tags and the
// memory of declared queues go with it, so that nothing of the old one can reach the new.
//
// The life of a connection is connection.go, the socket that gathers writes is socket.go, publishing is publisher.go,
// declaring is declarer.go, consuming is subscription.go, and its acknowledgements are acknowledger.go. For people's tools,
// browser.go and cursor.go look into queues.
package rabbitmq
