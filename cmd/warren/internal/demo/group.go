package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// instance is a running service: in this process, or a process of its own.
type instance interface {
	// ended is closed when the service has ended.
	ended() <-chan struct{}
	// err is why it has ended: nil after an orderly stop.
	err() error
	// stop asks it to stop, in order, and waits for its end.
	stop()
	// pid is 0 in this process.
	pid() int
	// notice tells the user what an orderly stop that nobody here asked for means.
	notice() string
}

// group is the running services.
type group struct {
	members  []member    // in the order in which they stop
	ends     chan member // those that have ended
	watchers sync.WaitGroup
}

type member struct {
	spec
	instance
}

func newGroup(capacity int) *group { return &group{ends: make(chan member, capacity)} }

func (g *group) add(s spec, i instance) {
	m := member{s, i}
	g.members = append(g.members, m)
	g.watchers.Go(func() {
		<-m.ended()
		g.ends <- m
	})
}

func (g *group) services() []serviceGuide {
	var list []serviceGuide
	for _, m := range g.members {
		list = append(list, serviceGuide{Name: m.service.Name, AdminAddr: m.adminAddr, PID: m.pid()})
	}
	return list
}

const (
	readyTimeout  = 30 * time.Second
	readyInterval = 20 * time.Millisecond
)

// awaitReady returns once all services take requests.
func (g *group) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("not ready after %s", readyTimeout))
	defer cancel()
	for _, m := range g.members {
		if err := m.awaitReady(ctx); err != nil {
			return fmt.Errorf("start %s: %w", m.service.Name, err)
		}
	}
	return nil
}

var errEnded = errors.New("it ended before it was ready")

func (m member) awaitReady(ctx context.Context) error {
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for !m.ready(ctx) {
		select {
		case <-ticker.C:
		case <-m.ended():
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (m member) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.adminAddr+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // only its status counts
	return response.StatusCode == http.StatusOK
}

// wait returns when ctx ends or a service fails. A service that the user has stopped is no failure.
func (g *group) wait(ctx context.Context, out io.Writer) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-g.ends:
			if m.err() != nil {
				return
			}
			_, _ = fmt.Fprint(out, m.notice()) // nobody is left to tell if that fails
		}
	}
}

// stop stops the services one after the other and returns what went wrong with any of them, now or before.
func (g *group) stop() error {
	var errs []error
	for _, m := range g.members {
		m.stop()
		errs = append(errs, m.err())
	}
	g.watchers.Wait()
	return errors.Join(errs...)
}
