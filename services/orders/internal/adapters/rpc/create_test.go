package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/domain"
)

// body returns the JSON of an order with one item. The arguments are JSON values.
func body(currency, sku, quantity string) string {
	return fmt.Sprintf(`{"currency":%s,"items":[{"sku":%s,"quantity":%s}]}`, currency, sku, quantity)
}

// TestCreateLimits holds the limits in the validate tags against those of the domain.
func TestCreateLimits(t *testing.T) {
	f := newFixture(t)
	items := func(n int) string {
		each := `{"sku":"tea","quantity":1}`
		return `{"currency":"EUR","items":[` + strings.TrimSuffix(strings.Repeat(each+",", n), ",") + `]}`
	}
	sku := func(n int) string { return body(`"EUR"`, `"`+strings.Repeat("é", n)+`"`, "1") }
	quantity := func(n int) string { return body(`"EUR"`, `"tea"`, fmt.Sprint(n)) }
	tests := []struct {
		make  func(n int) string
		to    int
		field string
	}{
		{items, domain.MaxItems, "items"},
		{sku, domain.MaxSKULength, "items[0].sku"},
		{quantity, domain.MaxQuantity, "items[0].quantity"},
	}
	for _, test := range tests {
		t.Run(test.field, func(t *testing.T) {
			f := fixture{t: t, client: f.client}
			f.want(f.do(create(alice, test.make(1))), 201)
			f.want(f.do(create(alice, test.make(test.to))), 201)
			f.want(f.do(create(alice, test.make(0))), 422, test.field)
			f.want(f.do(create(alice, test.make(test.to+1))), 422, test.field)
		})
	}
}

func TestCreateInvalid(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		name   string
		body   string
		status int
		fields []string
	}{
		{"no body", ``, 422, []string{"currency", "items"}},
		{"malformed", `{"currency":`, 400, nil},
		{"not an object", `[]`, 422, nil},
		{"empty object", `{}`, 422, []string{"currency", "items"}},
		{"unknown currency", body(`"ABC"`, `"tea"`, "1"), 422, []string{"currency"}},
		{"lower case currency", body(`"eur"`, `"tea"`, "1"), 422, []string{"currency"}},
		{"unknown product", body(`"EUR"`, `"coal"`, "1"), 422, []string{"items[0].sku"}},
		{"product of another currency", body(`"JPY"`, `"cup"`, "1"), 422, []string{"items[0].sku"}},
		{"quantity with a fraction", body(`"EUR"`, `"tea"`, "1.5"), 422, []string{"items[0].quantity"}},
		{"quantity beyond 64 bits", body(`"EUR"`, `"tea"`, "9223372036854775808"), 422, []string{"items[0].quantity"}},
		{"greatest 64-bit quantity", body(`"EUR"`, `"tea"`, "9223372036854775807"), 422, []string{"items[0].quantity"}},
		{"quantity as text", body(`"EUR"`, `"tea"`, `"1"`), 422, []string{"items[0].quantity"}},
		{"quantity twice", body(`"EUR"`, `"tea"`, `1,"quantity":2`), 400, nil},
		{"quantity in two cases", body(`"EUR"`, `"tea"`, `1,"Quantity":2`), 400, nil},
		{"invalid UTF-8", body(`"EUR"`, "\"\xff\"", "1"), 400, nil},
		{
			"all at once", `{"currency":"X","items":[{"sku":"","quantity":0},{"sku":"tea","quantity":1001},{"sku":"tea","quantity":"1"}]}`,
			422, []string{"items[2].quantity", "currency", "items[0].sku", "items[0].quantity", "items[1].quantity"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := fixture{t: t, client: f.client}
			f.want(f.do(create(alice, test.body)), test.status, test.fields...)
		})
	}
	if list := f.do(getAll(admin, "")); string(list.Body) != `{"orders":[]}` {
		t.Errorf("created: %s", list.Body)
	}
}

// What callers think of prices does not count.
func TestCallersSetNoPrice(t *testing.T) {
	f := newFixture(t)
	reply := f.do(create(alice, body(`"EUR"`, `"tea"`, `1,"unit_price":1,"price":1,"total":1`)))
	f.want(reply, 201)
	var created struct {
		Total int
		Items []struct {
			UnitPrice int `json:"unit_price"`
		}
	}
	if err := json.Unmarshal(reply.Body, &created); err != nil || created.Total != 450 || created.Items[0].UnitPrice != 450 {
		t.Errorf("%v: %s", err, reply.Body)
	}
}

func TestLargestTotal(t *testing.T) {
	f := newFixture(t)
	item := fmt.Sprintf(`{"sku":"gold","quantity":%d}`, domain.MaxQuantity)
	items := strings.Join(slices.Repeat([]string{item}, domain.MaxItems), ",")
	reply := f.do(create(alice, `{"currency":"EUR","items":[`+items+`]}`))
	f.want(reply, 201)
	var created struct {
		Total float64 `json:"total"` // as JavaScript reads it
	}
	if err := json.Unmarshal(reply.Body, &created); err != nil || created.Total != 1e15 {
		t.Errorf("total %f, %v; want 10^15", created.Total, err)
	}
}

func TestIdempotencyKey(t *testing.T) {
	f := newFixture(t)
	spaced := strings.ReplaceAll(tea, ",", " ,\n ")
	other := strings.ReplaceAll(tea, "2", "3")
	key := strings.Repeat("k", 255)
	first := f.do(createWithKey(alice, tea, key))
	f.want(first, 201)
	replays := map[string]*rpc.Request{
		"the same":                   createWithKey(alice, tea, key),
		"the same, in another style": createWithKey(alice, spaced, key),
	}
	for name, request := range replays {
		if diff := cmp.Diff(first, f.do(request)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	reused := f.do(createWithKey(alice, other, key))
	f.want(reused, 422)
	f.wantReason(reused, "idempotency-key-reused")
	f.want(f.do(cancel(alice, "0001")), 200)
	if diff := cmp.Diff(first, f.do(createWithKey(alice, tea, key))); diff != "" {
		t.Errorf("after a cancel: %s", diff)
	}
	for name, request := range map[string]*rpc.Request{
		"another key":      createWithKey(alice, tea, `"k"`),
		"another customer": createWithKey(bob, tea, key),
	} {
		reply := f.do(request)
		f.want(reply, 201)
		if reply.Header.Get("Location") == first.Header.Get("Location") {
			t.Errorf("%s gave the same order", name)
		}
	}
}

func TestBadIdempotencyKey(t *testing.T) {
	f := newFixture(t)
	f.want(f.do(createWithKey(alice, `{"currency":1,"items":[]}`, "a b")), 422, "currency", "Idempotency-Key", "items")
	for name, key := range map[string]string{
		"empty": "", "long": strings.Repeat("k", 256), "space": "a b", "control": "a\x01", "delete": "a\x7f", "not ASCII": "clé",
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture{t: t, client: f.client}
			f.want(f.do(createWithKey(alice, tea, key)), 422, "Idempotency-Key")
		})
	}
}

// The broker may deliver a request twice. Both deliveries have the same ID.
func TestRedeliveredRequest(t *testing.T) {
	f := newFixture(t)
	request := create(alice, tea)
	request.ID = "0b0e1a5e-6f4c-4d0a-9a51-5c8a3c1d2e3f"
	first, again := f.do(request), f.do(request)
	f.want(first, 201)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	next := f.do(create(alice, tea))
	f.want(next, 201)
	if next.Header.Get("Location") == first.Header.Get("Location") {
		t.Error("a new request gave the same order")
	}
}

// A request with neither a key nor an ID is rejected: a redelivery could not be recognized.
func TestCreateWithoutAnyKey(t *testing.T) {
	f := newFixture(t)
	requests, replies := f.subscribe("requests"), f.subscribe("replies")
	request := create(alice, tea)
	request.Queue = "requests"
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = f.client.Do(ctx, request) // fails: the queue has no replier
	}()
	m := awaittest.Receive(t, requests, "request")
	cancel()
	<-done
	m.ID, m.CorrelationID, m.ReplyTo = "", "", "replies"
	if err := f.connect().Publish(t.Context(), "orders.create", m); err != nil {
		t.Fatal(err)
	}
	if reply := awaittest.Receive(t, replies, "reply"); !bytes.Contains(reply.Body, []byte(`"status":400`)) {
		t.Errorf("got %s, want status 400", reply.Body)
	}
}

// connect returns a new connection to the broker, which is closed at the end of the test.
func (f fixture) connect() *inmem.Broker {
	broker := f.queues.ConnectAs("test")
	f.t.Cleanup(func() {
		if err := broker.Close(context.WithoutCancel(f.t.Context())); err != nil {
			f.t.Error(err)
		}
	})
	return broker
}

// subscribe returns the messages that arrive on a queue.
func (f fixture) subscribe(queue string) <-chan messaging.Message {
	f.t.Helper()
	messages := make(chan messaging.Message, 1)
	_, err := f.connect().Subscribe(f.t.Context(), messaging.Queue{Name: queue, Durable: true},
		func(_ context.Context, m messaging.Message) error {
			messages <- m
			return nil
		})
	if err != nil {
		f.t.Fatal(err)
	}
	return messages
}

func TestConcurrentEqualKeys(t *testing.T) {
	f := newFixture(t)
	statuses := f.concurrently(64, func() *rpc.Request { return createWithKey(alice, tea, "k") })
	if diff := cmp.Diff(slices.Repeat([]int{201}, 64), statuses); diff != "" {
		t.Error(diff)
	}
	if orders, next := f.page(alice, "limit=100"); len(orders) != 1 || next != "" {
		t.Errorf("%d orders, want 1", len(orders))
	}
}
