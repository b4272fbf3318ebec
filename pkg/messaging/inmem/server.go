package inmem

import (
	"context"
	"sync"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// Server holds the queues that its connections share. It needs no Close.
type Server struct {
	losses driver.Observers[struct{}] // of all connections

	mu            sync.Mutex // guards the fields below, and the state of connections, queues and subscriptions
	queues        map[string]*queue
	subscriptions map[*subscription]struct{} // of all connections: with a consumer or a running handler
	away          bool
	changed       chan struct{} // closed and replaced when away changes
}

// NewServer returns a server without queues.
func NewServer() *Server {
	return &Server{
		queues:        map[string]*queue{},
		subscriptions: map[*subscription]struct{}{},
		changed:       make(chan struct{}),
	}
}

// Connect returns a new connection. Its messages have no UserID.
func (s *Server) Connect() *Broker { return s.ConnectAs("") }

// ConnectAs returns a new connection whose messages have user as their UserID.
func (s *Server) ConnectAs(user string) *Broker {
	b := &Broker{server: s, user: user}
	b.closed, b.close = context.WithCancel(context.Background())
	return b
}

// SetAvailable simulates an outage that lasts from SetAvailable(false) to SetAvailable(true). All connections are lost and
// queues keep their messages. Messages that are not acknowledged return to their queues. Their handlers continue, but the
// results are ignored.
func (s *Server) SetAvailable(available bool) {
	if s.setAvailable(available) && available {
		s.losses.Notify(struct{}{})
	}
}

func (s *Server) setAvailable(available bool) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != available {
		return false
	}
	s.away = !available
	close(s.changed)
	s.changed = make(chan struct{})
	if s.away {
		for sub := range s.subscriptions {
			sub.putBackAll()
		}
		return true
	}
	for _, q := range s.queues {
		q.dispatch()
	}
	return true
}

// declare returns the queue of that name, and creates it if there is none.
func (s *Server) declare(settings messaging.Queue) *queue {
	q := s.lookup(settings.Name)
	if q == nil {
		q = &queue{Queue: settings, server: s}
		s.queues[settings.Name] = q
	}
	q.used = time.Now()
	return q
}

// lookup returns nil if there is no queue of that name. It deletes the queue if that has expired.
func (s *Server) lookup(name string) *queue {
	q := s.queues[name]
	if q != nil && q.expired() {
		q.delete()
		return nil
	}
	return q
}
