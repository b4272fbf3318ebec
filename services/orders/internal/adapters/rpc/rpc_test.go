package rpc_test

import (
	"encoding/json"
	"fmt"
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
	"example.com/warren/pkg/service/servicetest"
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

// catalogue has the prices that the tests expect. longest is the longest SKU.
var (
	longest   = strings.Repeat("é", domain.MaxSKULength)
	catalogue = domain.Catalogue{
		"tea": {"EUR": 450, "JPY": 700}, "cup": {"EUR": 0}, "gold": {"EUR": domain.MaxUnitPrice}, "é": {"EUR": 1}, longest: {"EUR": 1},
	}
)

// fixture runs the service's methods over a new database, and a client of them.
type fixture struct {
	t      *testing.T
	queues *inmem.Server
	client *rpc.Client
	store  *sqlite.OrderStore
}

// newFixture numbers the orders from 0001. Each three orders are created in the same microsecond.
func newFixture(t *testing.T) fixture {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store := sqlite.NewOrderStore(filepath.Join(t.TempDir(), "orders.db"))
	check(store.Open(t.Context()))
	t.Cleanup(func() { check(store.Close()) })

	var ids, ticks atomic.Int64
	orders := app.NewOrders(store, catalogue,
		func() string { return fmt.Sprintf("%04d", ids.Add(1)) },
		func() time.Time {
			return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration((ticks.Add(1)-1)/3) * time.Microsecond)
		})

	queues := inmem.NewServer()
	servicetest.Serve(t, queues, "orders", func(server *rpc.Server) { adapter.Register(server, orders) })
	return fixture{t: t, queues: queues, client: servicetest.NewClient(t, queues), store: store}
}

func (f fixture) do(request *rpc.Request) *rpc.Reply {
	f.t.Helper()
	reply, err := f.client.Do(f.t.Context(), request)
	if err != nil {
		f.t.Fatal(err)
	}
	return reply
}

// want checks the reply's status and the fields that its errors name.
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

// wantReason checks the machine-readable reason of an error.
func (f fixture) wantReason(reply *rpc.Reply, reason string) {
	f.t.Helper()
	var problem struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(reply.Body, &problem); err != nil || problem.Type != "urn:problem-type:"+reason {
		f.t.Errorf("type %q, want the reason %s: %s", problem.Type, reason, reply.Body)
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

const tea = `{"currency":"EUR","items":[{"sku":"tea","quantity":2},{"sku":"cup","quantity":1}]}`

// order returns the body that create, get and cancel reply with for the first order, of tea.
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
		{"list all customers'", getAll(admin, ""), 200, `{"orders":[` + order("pending") + `]}`},
		{"list by status", getAll(alice, "status=pending"), 200, `{"orders":[` + order("pending") + `]}`},
		{"list by another status", getAll(alice, "status=paid"), 200, `{"orders":[]}`},
		{"cancel another customer's", cancel(bob, "0001"), 404, ""},
		{"cancel with read access only", cancel(admin, "0001"), 404, ""},
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
		if step.status == 404 {
			f.wantReason(reply, "order-not-found")
		}
		if step.body != "" {
			if diff := cmp.Diff(step.body, string(reply.Body)); diff != "" {
				t.Errorf("%s: %s", step.name, diff)
			}
		}
	}
}

func TestUnauthenticated(t *testing.T) {
	f := newFixture(t)
	for _, request := range []*rpc.Request{create(nil, tea), get(nil, "0001"), getAll(nil, ""), cancel(nil, "0001")} {
		reply := f.do(request)
		f.want(reply, 401)
		if reply.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: header %v, want WWW-Authenticate", request.Queue, reply.Header)
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
		f.wantReason(reply, "order-not-cancellable")
		if !strings.Contains(string(reply.Body), string(status)) {
			t.Errorf("the reply does not name the status %s: %s", status, reply.Body)
		}
	}
}

// Of concurrent cancels, exactly one gets status 200.
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

// concurrently sends n requests at once and returns the statuses of the replies.
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
