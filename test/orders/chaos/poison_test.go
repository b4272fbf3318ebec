package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestLongPoisonRequests sends two requests whose every handler is killed. They end in the dead-letter queue, from which
// "warren dead" replays one and drops the other. They have no Idempotency-Key.
func TestLongPoisonRequests(t *testing.T) {
	// All deliveries of a request must come before its time limit, since the services drop an expired request. The limit leaves
	// each of the five deliveries 4 s, because on a busy machine the next process may take a while to receive it.
	const timeout = 20 * time.Second
	deliveries := size(2, 5)
	s := suite.StartSystem(t, "RPC_TIMEOUT="+timeout.String(), fmt.Sprintf("RPC_DELIVERY_LIMIT=%d", deliveries))
	// One process for each kill, and one that survives. None can start while the database is locked.
	orders := []*system.Process{s.Process("orders")}
	for range 2 * deliveries {
		orders = append(orders, s.Start(t, "orders"))
	}
	for _, p := range orders {
		p.AwaitReady(t)
	}
	demo := s.API.Login(t, "demo")

	unlock := lockDatabase(t, ordersDatabase(s.Dir))
	r := row{fault: fmt.Sprintf("two requests that kill orders %d times each, and end in %s.dead", deliveries, createQueue), sent: 3}
	var waiting sync.WaitGroup
	survivors := orders
	// One after the other: a process that is killed because of one request may just have dead-lettered the other without
	// having acknowledged it. The other would be dead-lettered twice, which is allowed.
	for i, name := range []string{"poison-0", "poison-1"} {
		waiting.Go(func() {
			r, err := demo.Call(t.Context(), http.MethodPost, "/v1/orders", orderOf(name))
			if err != nil || r.Status != http.StatusBadGateway {
				t.Errorf("%s: status %d: %s, %v, want 502 at the time limit", name, r.Status, r.Body, err)
			}
		})
		took := system.Take(func() { survivors = killUntilDead(t, orders, survivors, i+1) })
		t.Logf("%s dead-lettered after %s", name, took.Round(time.Millisecond))
	}
	killed := time.Now()
	unlock()
	demo.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", orderOf("poison-none"))
	r.answered, r.recovery = 1, time.Since(killed)

	awaittest.Success(t, "no request in the queue", suite.Holds(createQueue, 0))
	for _, p := range survivors {
		awaittest.Success(t, "orders idle", func(ctx context.Context) error {
			if busy(ctx, p) {
				return errors.New("busy")
			}
			return nil
		})
	}
	handleDeadLetters(t, s)
	waiting.Wait()
	r.failed = 2
	results.add(r)
	t.Logf("%+v, %d processes killed", r, len(orders)-len(survivors))
	stored := readOrders(t, ordersDatabase(s.Dir), "poison")
	for _, name := range []string{"poison-none", "poison-0"} {
		if len(stored[name]) != 1 {
			t.Errorf("%s has orders %q, want one", name, stored[name])
		}
	}
	if len(stored) != 2 {
		t.Errorf("orders %q, want none of the dropped request", stored)
	}
}

// killUntilDead kills each process that is creating an order, until the given number of requests is dead-lettered, and
// returns the processes that are left.
func killUntilDead(t *testing.T, orders, alive []*system.Process, requests int) []*system.Process {
	t.Helper()
	alive = slices.Clone(alive)
	awaittest.Success(t, fmt.Sprintf("%d requests dead-lettered", requests), func(ctx context.Context) error {
		dead := 0
		for _, p := range orders {
			dead += strings.Count(p.Output(), "message dead-lettered")
		}
		if dead == requests {
			return nil
		}
		if i := slices.IndexFunc(alive, func(p *system.Process) bool { return busy(ctx, p) }); i >= 0 {
			alive[i].Kill()
			alive = slices.Delete(alive, i, i+1)
		}
		return fmt.Errorf("%d are, and %d of %d processes are left", dead, len(alive), len(orders))
	})
	return alive
}

// handleDeadLetters replays the request of poison-0 and drops that of poison-1 with "warren dead".
func handleDeadLetters(t *testing.T, s *system.System) {
	t.Helper()
	warren := suite.Tool("orders")
	ids := deadIDs(t, warren, 2)
	if !strings.Contains(warren.Run(t, "dead", "show", createQueue, ids[0]), orderOf("poison-0")) {
		slices.Reverse(ids)
	}
	for i, id := range ids {
		name := fmt.Sprintf("poison-%d", i)
		if out := warren.Run(t, "dead", "show", createQueue, id); !strings.Contains(out, orderOf(name)) {
			t.Fatalf("message %s is not that of %s:\n%s", id, name, out)
		}
	}
	warren.Run(t, "dead", "replay", createQueue, ids[0])
	awaittest.Success(t, "the order of the replayed request", func(context.Context) error {
		if len(readOrders(t, ordersDatabase(s.Dir), "poison")["poison-0"]) == 0 {
			return errors.New("not in the database")
		}
		return nil
	})
	if left := deadIDs(t, warren, 1); left[0] != ids[1] {
		t.Errorf("message %s is left, want %s", left[0], ids[1])
	}
	warren.Run(t, "dead", "drop", createQueue, ids[1])
	deadIDs(t, warren, 0)
}

// deadIDs returns the IDs of the messages that "warren dead" lists.
func deadIDs(t *testing.T, warren system.Tool, want int) []string {
	t.Helper()
	out := warren.Run(t, "dead", "list", createQueue)
	var ids []string
	for line := range strings.Lines(out) {
		if id, _, _ := strings.Cut(line, " "); strings.Contains(line, "POST /v1/orders") {
			ids = append(ids, id)
		}
	}
	if len(ids) != want {
		t.Fatalf("warren dead lists %d messages, want %d:\n%s", len(ids), want, out)
	}
	return ids
}
