package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBrokerAway kills the broker under a running system: it says so, refuses calls at once, and comes back by itself.
func TestBrokerAway(t *testing.T) {
	s := startSystem(t)
	demo := s.api.login(t, "demo")
	node.Kill()
	services := []*process{s.gateway, s.orders, s.accessControl}
	for _, p := range services {
		poll(t, p.service+" not ready", func(ctx context.Context) error {
			status, body, err := fetch(ctx, "http://"+p.admin+"/readyz")
			if err == nil && (status != http.StatusServiceUnavailable || !strings.Contains(body, "broker")) {
				err = fmt.Errorf("status %d: %s", status, body)
			}
			return err
		})
	}
	took := take(func() {
		a := demo.want(t, http.StatusServiceUnavailable, http.MethodGet, "/v1/orders", "")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
	if took > time.Second {
		t.Errorf("503 after %s, want at once", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := node.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range services {
		p.awaitReady(t)
		if n := p.metric(t, "broker_reconnects_total"); n != "2" {
			t.Errorf("%s counts %s reconnects, want one for each of its two connections", p.service, n)
		}
	}
	demo.want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
}

// TestBrokerComesLater starts the services while the broker is away.
func TestBrokerComesLater(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := node.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := start(t, "orders", dir)
	poll(t, "the reason in /readyz", func(ctx context.Context) error {
		status, body, err := fetch(ctx, "http://"+p.admin+"/readyz")
		if err == nil && (status != http.StatusServiceUnavailable || !strings.Contains(body, "connection refused")) {
			err = fmt.Errorf("status %d: %s", status, body)
		}
		return err
	})
	if err := node.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	p.awaitReady(t)
}
