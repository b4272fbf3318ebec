package inmem

import (
	"cmp"
	"slices"
	"time"

	"example.com/warren/pkg/messaging"
)

// message is a message in a queue or with a consumer.
type message struct {
	messaging.Message
	position   uint64 // in its queue
	expires    time.Time
	deliveries int
}

func (m *message) expired() bool {
	return !m.expires.IsZero() && !time.Now().Before(m.expires)
}

// queue is guarded by the server's mutex, as are all its methods.
type queue struct {
	messaging.Queue
	server    *Server
	ready     []*message // not delivered, by position
	added     uint64     // how many messages were added so far
	consumers []*subscription
	turn      int       // index of the consumer that gets the next message
	used      time.Time // when it was declared or lost its last consumer
	deleted   bool
}

func (q *queue) expired() bool {
	return q.Expiry > 0 && len(q.consumers) == 0 && time.Since(q.used) >= q.Expiry
}

func (q *queue) delete() {
	q.deleted = true
	q.ready = nil
	delete(q.server.queues, q.Name)
}

// add appends a message that is new to this queue.
func (q *queue) add(m messaging.Message) {
	q.dropExpired() // otherwise a queue without consumers would only grow
	q.added++
	entry := &message{Message: m, position: q.added}
	if m.TTL > 0 {
		entry.expires = time.Now().Add(m.TTL)
	}
	q.ready = append(q.ready, entry)
}

// putBack returns a message to its position.
func (q *queue) putBack(m *message) {
	if q.deleted {
		return
	}
	i, _ := slices.BinarySearchFunc(q.ready, m.position, func(other *message, position uint64) int {
		return cmp.Compare(other.position, position)
	})
	q.ready = slices.Insert(q.ready, i, m)
}

// dispatch delivers messages to the consumers in turn, up to their prefetch.
func (q *queue) dispatch() {
	if q.server.away {
		return
	}
	for q.dropExpired(); len(q.ready) > 0; q.dropExpired() {
		s := q.nextConsumer()
		if s == nil {
			return
		}
		s.deliver(q.pop())
	}
}

func (q *queue) dropExpired() {
	for len(q.ready) > 0 && q.ready[0].expired() {
		q.pop()
	}
}

func (q *queue) pop() *message {
	m := q.ready[0]
	q.ready[0] = nil // for the garbage collector
	q.ready = q.ready[1:]
	return m
}

func (q *queue) nextConsumer() *subscription {
	for i := range q.consumers {
		turn := (q.turn + i) % len(q.consumers)
		if s := q.consumers[turn]; s.hasCapacity() {
			q.turn = turn + 1
			return s
		}
	}
	return nil
}

// accepts reports whether another consumer may join.
func (q *queue) accepts(exclusive bool) bool {
	if exclusive {
		return len(q.consumers) == 0
	}
	return !slices.ContainsFunc(q.consumers, func(s *subscription) bool { return s.options.Exclusive })
}

func (q *queue) addConsumer(s *subscription) {
	q.consumers = append(q.consumers, s)
	q.dispatch()
}

func (q *queue) removeConsumer(s *subscription) {
	q.consumers = slices.DeleteFunc(q.consumers, func(other *subscription) bool { return other == s })
	if len(q.consumers) > 0 {
		return
	}
	q.used = time.Now()
	if q.AutoDelete {
		q.delete()
	}
}
