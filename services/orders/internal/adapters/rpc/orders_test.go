package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	adapter "example.com/warren/services/orders/internal/adapters/rpc"
	"example.com/warren/services/orders/internal/adapters/sqlite"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

var (
	alice = &rpc.Identity{Subject: "alice", Scopes: []string{"orders:read", "orders:write"}}
	bob   = &rpc.Identity{Subject: "bob", Scopes: []string{"orders:read", "orders:write"}}
	admin = &rpc.Identity{Subject: "admin", Scopes: []string{"orders:all"}}
)

// fixture is the service's methods over a database of their own, and a client of them.
type fixture struct {
	t      *testing.T
	broker *inmem.Broker
	client *rpc.Client
	store  *sqlite.OrderStore
}

// newFixture counts orders in their ids, from 1. Three orders at a time are created in one microsecond.
func newFixture(t *testing.T) fixture {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db := sqlite.NewDB(filepath.Join(t.TempDir(), "orders.db"))
	check(db.Open(t.Context()))
	store := sqlite.NewOrderStore(db)

	var ids, ticks atomic.Int64
	orders := app.NewOrders(store,
		func() string { return fmt.Sprintf("%04d", ids.Add(1)) },
		func() time.Time {
			return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration((ticks.Add(1)-1)/3) * time.Microsecond)
		})

	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders", Logger: slog.New(slog.DiscardHandler)})
	adapter.Register(server, orders)
	check(server.Start(t.Context()))
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "test", Timeout: time.Minute})
	check(client.Start(t.Context()))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		check(errors.Join(client.Close(ctx), server.Drain(ctx), broker.Close(ctx), db.Close()))
	})
	return fixture{t: t, broker: broker, client: client, store: store}
}

func (f fixture) do(request *rpc.Request) *rpc.Reply {
	f.t.Helper()
	reply, err := f.client.Do(f.t.Context(), request)
	if err != nil {
		f.t.Fatal(err)
	}
	return reply
}

// want checks a reply's status and, if it is an error, the fields that it names.
func (f fixture) want(reply *rpc.Reply, status int, fields ...string) {
	f.t.Helper()
	if reply.Status != status {
		f.t.Errorf("status %d, want %d: %s", reply.Status, status, reply.Body)
	}
	var problem struct {
		Errors []rpc.FieldError `json:"errors"`
	}
	if err := json.Unmarshal(reply.Body, &problem); err != nil {
		f.t.Fatalf("%v: %s", err, reply.Body)
	}
	var got []string
	for _, e := range problem.Errors {
		got = append(got, e.Field)
	}
	if !slices.Equal(got, fields) {
		f.t.Errorf("fields %q, want %q: %s", got, fields, reply.Body)
	}
}

func create(who *rpc.Identity, body string) *rpc.Request {
	return &rpc.Request{Queue: "orders.create", Identity: who, ContentType: "application/json", Body: []byte(body)}
}

func createWithKey(who *rpc.Identity, body, key string) *rpc.Request {
	request := create(who, body)
	request.Header = http.Header{"Idempotency-Key": {key}}
	return request
}

func get(who *rpc.Identity, id string) *rpc.Request {
	return &rpc.Request{Queue: "orders.get", Identity: who, Params: map[string]string{"id": id}}
}

func cancel(who *rpc.Identity, id string) *rpc.Request {
	return &rpc.Request{Queue: "orders.cancel", Identity: who, Params: map[string]string{"id": id}}
}

func getAll(who *rpc.Identity, query string) *rpc.Request {
	values, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	return &rpc.Request{Queue: "orders.getAll", Identity: who, Query: values}
}

const tea = `{"currency":"EUR","items":[{"sku":"tea","quantity":2,"unit_price":450},{"sku":"cup","quantity":1,"unit_price":0}]}`

// order is what create, get and cancel reply with for tea as the first order.
func order(status string) string {
	return `{"id":"0001","customer_id":"alice","status":"` + status + `","currency":"EUR","total":900,` +
		`"items":[{"sku":"tea","quantity":2,"unit_price":450},{"sku":"cup","quantity":1,"unit_price":0}],` +
		`"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}`
}

func TestOrderOverRPC(t *testing.T) {
	f := newFixture(t)
	steps := []struct {
		name    string
		request *rpc.Request
		status  int
		body    string // "": not checked
	}{
		{"create", create(alice, tea), 201, order("pending")},
		{"get", get(alice, "0001"), 200, order("pending")},
		{"get another customer's", get(bob, "0001"), 404, ""},
		{"get any", get(admin, "0001"), 200, order("pending")},
		{"get an unknown one", get(admin, "9"), 404, ""},
		{"list", getAll(alice, ""), 200, `{"orders":[` + order("pending") + `]}`},
		{"list without any", getAll(bob, ""), 200, `{"orders":[]}`},
		{"list everyone's", getAll(admin, ""), 200, `{"orders":[` + order("pending") + `]}`},
		{"list by status", getAll(alice, "status=pending"), 200, `{"orders":[` + order("pending") + `]}`},
		{"list by another status", getAll(alice, "status=paid"), 200, `{"orders":[]}`},
		{"cancel another customer's", cancel(bob, "0001"), 404, ""},
		{"cancel what one may only read", cancel(admin, "0001"), 404, ""},
		{"cancel an unknown one", cancel(alice, "9"), 404, ""},
		{"cancel", cancel(alice, "0001"), 200, order("cancelled")},
		{"cancel again", cancel(alice, "0001"), 409, ""},
		{"get the cancelled one", get(alice, "0001"), 200, order("cancelled")},
	}
	for _, step := range steps {
		reply := f.do(step.request)
		if reply.Status != step.status {
			t.Errorf("%s: status %d, want %d: %s", step.name, reply.Status, step.status, reply.Body)
		}
		wantLocation := ""
		if step.status == 201 {
			wantLocation = "/v1/orders/0001"
		}
		if location := reply.Header.Get("Location"); location != wantLocation {
			t.Errorf("%s: Location %q, want %q", step.name, location, wantLocation)
		}
		if step.body != "" {
			if diff := cmp.Diff(step.body, string(reply.Body)); diff != "" {
				t.Errorf("%s: %s", step.name, diff)
			}
		}
	}
}

func TestNobody(t *testing.T) {
	f := newFixture(t)
	for _, request := range []*rpc.Request{create(nil, tea), get(nil, "0001"), getAll(nil, ""), cancel(nil, "0001")} {
		reply := f.do(request)
		f.want(reply, 401)
		if reply.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: no WWW-Authenticate header", request.Queue)
		}
	}
}

func TestCancelForbiddenByStatus(t *testing.T) {
	f := newFixture(t)
	f.want(f.do(create(alice, tea)), 201)
	for _, status := range []domain.Status{domain.Shipped, domain.Delivered} {
		o, err := f.store.Get(t.Context(), "0001")
		if err != nil {
			t.Fatal(err)
		}
		from := o.Status
		o.Status = status
		if err := f.store.UpdateStatus(t.Context(), o, from); err != nil {
			t.Fatal(err)
		}
		reply := f.do(cancel(alice, "0001"))
		f.want(reply, 409)
		if !strings.Contains(string(reply.Body), string(status)) {
			t.Errorf("the reply does not name the status %s: %s", status, reply.Body)
		}
	}
}

// Of concurrent cancels one gets 200.
func TestConcurrentCancels(t *testing.T) {
	f := newFixture(t)
	f.want(f.do(create(alice, tea)), 201)
	statuses := f.concurrently(16, func() *rpc.Request { return cancel(alice, "0001") })
	slices.Sort(statuses)
	want := slices.Concat([]int{200}, slices.Repeat([]int{409}, 15))
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Error(diff)
	}
}

// concurrently makes n requests at once and returns their statuses.
func (f fixture) concurrently(n int, request func() *rpc.Request) (statuses []int) {
	f.t.Helper()
	results := make(chan int, n)
	for range n {
		go func() {
			reply, err := f.client.Do(f.t.Context(), request())
			if err != nil {
				f.t.Error(err)
				reply = &rpc.Reply{}
			}
			results <- reply.Status
		}()
	}
	for range n {
		statuses = append(statuses, <-results)
	}
	return statuses
}
