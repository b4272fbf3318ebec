package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

const createQueue = "orders.create"

// TestLongOrdersKilled repeatedly kills one of two orders while it handles requests. The broker redelivers them to the other one,
// which replies within the time limit.
func TestLongOrdersKilled(t *testing.T) {
	s := suite.StartSystem(t, patientSetting())
	other := s.Process("orders")
	s.Start(t, "orders").AwaitReady(t)
	demo := s.API.Login(t, "demo")
	l := startLoad(t, demo)
	times := size(2, 10)
	for range times {
		victim := other
		other = s.Process("orders")
		unlock := lockDatabase(t, ordersDatabase(s.Dir))
		awaitBusy(t, victim)
		victim.Kill()
		killed := time.Now()
		unlock()
		l.fault(t, killed)
		s.Start(t, "orders").AwaitReady(t)
	}
	fault := fmt.Sprintf("kill -9 of orders in the middle of handling, %d times", times)
	l.finish(t, fault, ordersDatabase(s.Dir), resumes())
	l.allAnswered(t)
}

// awaitBusy waits until a process is creating an order.
func awaitBusy(t *testing.T, orders *system.Process) {
	t.Helper()
	awaittest.Success(t, "an order is being created", func(ctx context.Context) error {
		if !busy(ctx, orders) {
			return errors.New("none is")
		}
		return nil
	})
}

// busy reports whether a process is creating an order. A process that never did so has no such series.
func busy(ctx context.Context, orders *system.Process) bool {
	n, err := orders.Measure(ctx, "rpc_server_active_calls", "rpc_method", createQueue)
	return err == nil && n > 0
}
