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

// instance is a running service, in this process or in its own.
type instance interface {
	// ended returns a channel that is closed when the service has ended.
	ended() <-chan struct{}
	// err waits for the end and returns its cause: nil after a graceful shutdown.
	err() error
	// stop starts the graceful shutdown and waits for the end.
	stop()
	// pid returns the process ID, or 0 in this process.
	pid() int
	// notice returns the text for a user who has stopped the service from outside.
	notice() string
}

// group is the running services.
type group struct {
	members  []member    // in the order in which they stop
	ends     chan member // receives each member that has ended
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
		list = append(list, serviceGuide{Name: m.service.Name, AdminAddr: m.adminAddr, PID: m.pid(), Examples: m.service.Examples})
	}
	return list
}

const (
	readyTimeout  = 30 * time.Second
	readyInterval = 20 * time.Millisecond
)

// awaitReady waits until every service accepts requests.
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

var errEnded = errors.New("ended before it was ready")

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
	_ = response.Body.Close() // only the status counts
	return response.StatusCode == http.StatusOK
}

// wait waits until ctx ends or a service fails. When a user stops a service from outside, it prints the service's notice
// and goes on.
func (g *group) wait(ctx context.Context, out io.Writer) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-g.ends:
			if m.err() != nil {
				return
			}
			_, _ = fmt.Fprint(out, m.notice()) // as in say
		}
	}
}

// stop stops the services one after the other and returns the errors of all of them, also of those that ended before.
func (g *group) stop() error {
	var errs []error
	for _, m := range g.members {
		m.stop()
		errs = append(errs, m.err())
	}
	g.watchers.Wait()
	return errors.Join(errs...)
}
