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

// TestOrdersKilled kills one of two orders in the middle of handling, again and again: what it was doing is delivered to
// the other, and answered within its limit.
func TestOrdersKilled(t *testing.T) {
	s := suite.StartSystem(t, limitSetting)
	other := s.Orders
	s.StartOrders(t)
	s.Orders.AwaitReady(t)
	demo := s.API.Login(t, "demo")
	l := startLoad(t, demo)
	times := size(2, 10)
	for range times {
		victim := other
		other = s.Orders
		unlock := lockDatabase(t, system.OrdersDatabase(s.Dir))
		awaitBusy(t, victim)
		victim.Kill()
		killed := time.Now()
		unlock()
		l.fault(t, killed)
		s.StartOrders(t)
		s.Orders.AwaitReady(t)
	}
	fault := fmt.Sprintf("kill -9 of orders in the middle of handling, %d times", times)
	l.finish(t, fault, system.OrdersDatabase(s.Dir), resumes())
	l.allAnswered(t)
}

// awaitBusy waits until a process is creating an order.
func awaitBusy(t *testing.T, orders *system.Process) {
	t.Helper()
	awaittest.Success(t, "an order is being created", func(ctx context.Context) error {
		if !busy(ctx, orders) {
			return errors.New("it is not")
		}
		return nil
	})
}

// busy reports whether a process is creating an order. One that has created none yet has no such series.
func busy(ctx context.Context, orders *system.Process) bool {
	n, err := orders.Measure(ctx, "rpc_server_in_flight", "queue", createQueue)
	return err == nil && n > 0
}
