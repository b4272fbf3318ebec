package main

import (
	"net"
	"runtime"
	"sync"
)

// socket gathers what concurrent publishers write into one system call.
type socket struct {
	net.Conn
	wake chan struct{}

	mu       sync.Mutex
	gathered []byte
	err      error
}

func newSocket(conn net.Conn) *socket {
	s := &socket{Conn: conn, wake: make(chan struct{}, 1)}
	go s.flush()
	return s
}

// Write accepts p for the next system call.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.gathered = append(s.gathered, p...)
	err := s.err
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return len(p), err
}

func (s *socket) flush() {
	var spare []byte
	for range s.wake {
		// Publishers that are about to write join this batch.
		runtime.Gosched()
		s.mu.Lock()
		batch := s.gathered
		s.gathered = spare[:0]
		s.mu.Unlock()
		if _, err := s.Conn.Write(batch); err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			return
		}
		spare = batch
	}
}
