// Package rabbitmq implements [messaging.Broker] over RabbitMQ 3.10 and later, with AMQP 0-9-1.
//
// # Connections
//
// A [Broker] keeps two connections and redials each indefinitely when it is lost. One publishes. The other consumes and
// declares, because RabbitMQ stops reading from connections that publish when it is low on memory or disk, and
// acknowledgements must still get through then. A session is one generation of a connection. Channels, delivery tags and
// the memory of declared queues belong to a session and end with it, so nothing of a lost connection reaches the next one.
// Read connection.go, then session.go.
//
//	 Send   Publish                      Ensure       Subscribe
//	   |       |                           |              |
//	+--v-------v------------------+     +--v--------------v------------+
//	| connection "publish"        |     | connection "consume"         |
//	|  session                    |     |  session                     |
//	|   publisher                 |     |   declarer      consumer 1:n |
//	|    sends    confirms        |     |    channel       channel     |
//	|      |          |           |     |       |            |    ^    |
//	|   socket (gathers writes)   |     |   socket           |    |    |
//	+-----------------+-----------+     +-------+------------+----+----+
//	                  | one write per batch     |            |    | deliveries
//	                  v                         v            v    |
//	                               RabbitMQ
//
// # Sending
//
// [Broker.Send] validates the message, takes the current session, and waits until its socket has capacity. It writes the
// frames to the socket, which only buffers them. The flush goroutine writes what concurrent callers have buffered in one
// system call, and Send returns. [Broker.Publish] uses a channel with publisher confirms and waits for the confirm instead.
// Messages beyond the broker's own limits are refused before they are sent. Read broker.go, publisher.go, codec.go, probe.go,
// then socket.go.
//
// # Receiving
//
// A subscription starts one consumer after the other. The workers of a consumer receive deliveries from the library and
// call the handler. Its verdict goes to the acknowledger, which gathers acknowledgements, or moves the message to the
// dead-letter queue. Package inbound removes headers that the library cannot decode. Read subscription.go, consumer.go,
// delivery.go, retry.go, then acknowledger.go; declarer.go declares the queues, and lock.go keeps other consumers out of an
// exclusive one.
//
// # Goroutines
//
//	goroutine                started by          ends when             task
//	connection.run           New                 Broker.Close          dial; redial when the session ends
//	session.watch (2)        newSession          session ends          note blocks and the loss of the connection
//	socket.flush             newSocket           socket.Close          write batches
//	publisher, returns       newPublisher        its channel closes    pass returned messages of Send to OnReturn
//	publisher.trackReturns   newPublisher        its channel closes    tell Publish which messages were returned
//	publishing channel (2)   openPublishing      its channel closes    end the session if the broker closes the channel
//	late return              session.publish     the confirm comes     discard the return of a Publish whose context ended
//	prober.run               prober.start        confirm, alarm        find out whether the broker takes messages, and how large
//	refusals (refused.go)    openPublisher       session ends          replace channels, send again what was refused
//	session.call (1, 2)      Ensure, Subscribe   the broker responds   make a library call, which takes no context
//	subscription.run         Subscribe           Drain, Close          start a consumer, again when it ends
//	consumer, closes         consumer.start      its channel closes    end the consumer
//	consumer.work (1..n)     consumer            consumer ends         handle one delivery after the other
//	consumer.retry           consumer.work       the pause ends        return a message whose handler failed
//	consumer.isForgotten     consumer.serve      consumer ends         look for messages that do not come (forgotten.go)
//	acknowledger's timer     first pending ack   at once               flush acknowledgements
//
// Session.close waits for the goroutines of its session, Broker.Close for those of its connections and, until its context
// ends, for those of its subscriptions. The owner of a channel closes it: the session its amqp.Connection, the consumer its
// amqp.Channel, and the library every notification channel when the amqp.Channel or amqp.Connection that it speaks of closes.
//
// # Locks
//
//	lock              guards                                              held while calling
//	Broker.mu         closing, subscriptions, publishes.Add after Close   nothing
//	connection.mu     current, err, changed                               nothing
//	session.mu        the start of goroutines against close               nothing
//	driver.Observers  its list of functions                               nothing
//	declarer.mu       channel                                             the library, bounded by declarePatience; session.spawn
//	prober.mu         running                                             session.spawn
//	acknowledger.mu   last, gaps, pending                                 the library, to write frames
//	refusals.mu       list, bytes, lostBy                                 the library, to write frames
//	socket.mu         all fields below it                                 nothing
//
// The order is declarer.mu, acknowledger.mu or refusals.mu, then the library's own locks, then socket.mu; and declarer.mu or
// prober.mu, then session.mu. The other locks are taken alone. The library's reader waits until its notifications are received,
// so their receivers take none of the locks that are held while calling the library, and never block.
//
// # Workarounds
//
// refused.go and forgotten.go work around RabbitMQ 3.10, package inbound around amqp091-go. Their first lines say how to delete them.
package rabbitmq
