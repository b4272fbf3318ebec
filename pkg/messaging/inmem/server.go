package inmem

import (
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/warren/pkg/messaging"
)

// Server holds the queues that its connections share. It has no goroutines and needs no Close.
type Server struct {
	mu            sync.Mutex // guards all that follows, and the fields of connections, queues and subscriptions
	queues        map[string]*queue
	subscriptions map[*subscription]struct{} // of all connections: those with a consumer or a running handler
	losses        map[*func()]struct{}       // what to call after an outage
	away          bool
	changed       chan struct{} // closed, and replaced, when away changes
}

// NewServer returns a server without queues.
func NewServer() *Server {
	return &Server{
		queues:        map[string]*queue{},
		subscriptions: map[*subscription]struct{}{},
		losses:        map[*func()]struct{}{},
		changed:       make(chan struct{}),
	}
}

// Connect returns a new connection. Each has its own subscriptions and its own returned messages. Its messages have no
// UserID.
func (s *Server) Connect() *Broker { return s.ConnectAs("") }

// ConnectAs is Connect for a user, who is the UserID of the messages.
func (s *Server) ConnectAs(user string) *Broker {
	return &Broker{server: s, user: user, closed: make(chan struct{})}
}

// SetAvailable simulates, with false, that all connections are lost and can't be made again until it is called with
// true. Queues and their messages stay. Messages that are not yet acknowledged go back to their queues; handlers that
// run go on, but what they return has no effect.
func (s *Server) SetAvailable(available bool) {
	for _, f := range s.setAvailable(available) {
		(*f)()
	}
}

// setAvailable returns what to call once the server's mutex is free.
func (s *Server) setAvailable(available bool) []*func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != available {
		return nil
	}
	s.away = !available
	close(s.changed)
	s.changed = make(chan struct{})
	if s.away {
		for sub := range s.subscriptions {
			sub.giveBack()
		}
		return nil
	}
	for _, q := range s.queues {
		q.dispatch()
	}
	return slices.Collect(maps.Keys(s.losses))
}

// declare returns the queue of that name, and makes it if there is none.
func (s *Server) declare(settings messaging.Queue) *queue {
	q := s.lookup(settings.Name)
	if q == nil {
		q = &queue{Queue: settings, server: s}
		s.queues[settings.Name] = q
	}
	q.used = time.Now()
	return q
}

// lookup returns nil if there is no queue of that name. Queues past their expiry go when they are next asked for.
func (s *Server) lookup(name string) *queue {
	q := s.queues[name]
	if q != nil && q.expired() {
		q.delete()
		return nil
	}
	return q
}
