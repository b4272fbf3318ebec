package service_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/fx"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
)

// database is a dependency that can be away. The zero value is.
type database struct{ up atomic.Bool }

var errAway = errors.New("no route to database")

func (d *database) check(context.Context) error {
	if !d.up.Load() {
		return errAway
	}
	return nil
}

// away is errAway as the error of a start hook, which is called again.
type away struct{ error }

func (away) Temporary() bool { return true }

func (d *database) open(ctx context.Context) error {
	if err := d.check(ctx); err != nil {
		return away{err}
	}
	return nil
}

// module provides the database privately, as services do.
func (d *database) module() fx.Option {
	return fx.Module("orders",
		fx.Provide(fx.Private, func(l fx.Lifecycle) *database {
			l.Append(fx.StartHook(d.open))
			return d
		}),
		service.ProvideHealthCheck(func(d *database) service.HealthCheck {
			return service.HealthCheck{Name: "database", Check: d.check}
		}),
		service.ProvideHealthCheck(func() service.HealthCheck {
			return service.HealthCheck{Name: "disk", Check: func(ctx context.Context) error {
				if _, limited := ctx.Deadline(); !limited {
					return errors.New("no limit")
				}
				return nil
			}}
		}),
	)
}

func TestStartWaitsForTheDatabase(t *testing.T) {
	d := new(database)
	i := servicetest.Start(t, service.Service{Name: "orders", Module: d.module()}, inmem.New())
	if entry := i.Log.Await(t, "start failed"); entry["error"] != errAway.Error() || entry["level"] != "WARN" {
		t.Errorf("log entry %v", entry)
	}
	addr, _ := i.Log.Await(t, "service starting")["admin"].(string)
	awaittest.Until(t, "the reason in /readyz", func() bool {
		status, body := get(t, addr, "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, `"service":"starting: `+errAway.Error())
	})
	d.up.Store(true)
	i.AwaitStart()
	if status, body := get(t, addr, "/readyz"); status != http.StatusOK {
		t.Errorf("once the database is there: status %d, %s", status, body)
	}
}

func TestStopWhileTheDatabaseIsAway(t *testing.T) {
	i := servicetest.Start(t, service.Service{Name: "orders", Module: new(database).module()}, inmem.New())
	i.Log.Await(t, "start failed")
	i.Stop()
}

func TestFailWhileTheDatabaseIsAway(t *testing.T) {
	broken := errors.New("listener broke")
	var fail service.Fail
	module := fx.Options(fx.Populate(&fail), new(database).module())
	i := servicetest.Start(t, service.Service{Name: "orders", Module: module}, inmem.New())
	i.Log.Await(t, "start failed")
	fail(broken)
	if err := i.Wait(); err == nil || err.Error() != "orders: listener broke" {
		t.Errorf("Run = %v", err)
	}
}

func TestHealthChecks(t *testing.T) {
	d := new(database)
	d.up.Store(true)
	i := servicetest.Start(t, service.Service{Name: "orders", Module: d.module()}, inmem.New())
	addr := i.AwaitStart()
	for range 2 {
		if status, body := get(t, addr, "/readyz"); status != http.StatusOK {
			t.Errorf("status %d, %s", status, body)
		}
		d.up.Store(false)
		want := `{"status":"unavailable","reasons":{"database":"no route to database"}}`
		if status, body := get(t, addr, "/readyz"); status != http.StatusServiceUnavailable || body != want {
			t.Errorf("status %d, %s, want %s", status, body, want)
		}
		if status, _ := get(t, addr, "/livez"); status != http.StatusOK {
			t.Errorf("/livez: status %d", status)
		}
		d.up.Store(true)
	}
}
