package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run starts the service on queues and returns once it serves; stop, or the end of the test, ends it.
func run(t *testing.T, queues *inmem.Server, args ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan service.Info, 1)
	done := make(chan error, 1)
	var log bytes.Buffer // read once the service has ended
	go func() {
		done <- service.Run(ctx, New(), append(args, "--admin-addr="),
			service.WithBroker(queues.Connect()),
			service.WithOutput(&log, &log),
			service.WithReady(func(info service.Info) { ready <- info }),
		)
	}()
	select {
	case <-ready:
	case err := <-done:
		cancel()
		t.Fatalf("%v\n%s", err, log.String())
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%v\n%s", err, log.String())
		}
	})
	t.Cleanup(stop)
	return stop
}

func newClient(t *testing.T, queues *inmem.Server) *rpc.Client {
	t.Helper()
	broker := queues.Connect()
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "test", Timeout: time.Minute})
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(client.Close(ctx), broker.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return client
}

func do(t *testing.T, client *rpc.Client, request *rpc.Request, status int) *rpc.Reply {
	t.Helper()
	reply, err := client.Do(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Status != status {
		t.Fatalf("%s: status %d, want %d: %s", request.Queue, reply.Status, status, reply.Body)
	}
	return reply
}

// statuses lists the statuses of the caller's orders, the newest first.
func statuses(t *testing.T, client *rpc.Client, who *rpc.Identity) (list []string) {
	t.Helper()
	reply := do(t, client, &rpc.Request{Queue: "orders.getAll", Identity: who, Query: url.Values{"limit": {"100"}}}, http.StatusOK)
	var page struct {
		Orders []struct {
			Status    string    `json:"status"`
			CreatedAt time.Time `json:"created_at"`
		} `json:"orders"`
	}
	if err := json.Unmarshal(reply.Body, &page); err != nil {
		t.Fatal(err)
	}
	for _, o := range page.Orders {
		if o.CreatedAt.After(time.Now()) {
			t.Errorf("an order of the future, %s", o.CreatedAt)
		}
		list = append(list, o.Status)
	}
	return list
}

var demo = &rpc.Identity{Subject: "0190a6d0-0000-7000-8000-000000000001", Username: "demo"}

func TestDemoData(t *testing.T) {
	database := filepath.Join(t.TempDir(), "orders.db")
	queues := inmem.NewServer()
	client := newClient(t, queues)
	want := []string{"pending", "paid", "shipped", "cancelled", "delivered"}

	t.Setenv("DEMO_DATA", "true")
	for range 2 { // the second time, all of it is there
		stop := run(t, queues, "--orders-database="+database)
		if diff := cmp.Diff(want, statuses(t, client, demo)); diff != "" {
			t.Error(diff)
		}
		if others := statuses(t, client, &rpc.Identity{Subject: "someone"}); len(others) != 0 {
			t.Errorf("someone else sees %d orders", len(others))
		}
		stop()
	}
}

func TestNoDemoDataUnlessAsked(t *testing.T) {
	t.Setenv("DEMO_DATA", "") // for the end of the test to restore it
	if err := os.Unsetenv("DEMO_DATA"); err != nil {
		t.Fatal(err)
	}
	queues := inmem.NewServer()
	client := newClient(t, queues)
	run(t, queues, "--orders-database="+filepath.Join(t.TempDir(), "orders.db"))
	if list := statuses(t, client, demo); len(list) != 0 {
		t.Errorf("%d orders at first start", len(list))
	}
}

func TestOrdersOutliveTheService(t *testing.T) {
	t.Setenv("ORDERS_DATABASE", filepath.Join(t.TempDir(), "orders.db"))
	queues := inmem.NewServer()
	client := newClient(t, queues)
	create := &rpc.Request{
		Queue: "orders.create", Identity: demo, ContentType: "application/json",
		Body: []byte(`{"currency":"EUR","items":[{"sku":"tea","quantity":1,"unit_price":450}]}`),
	}
	stop := run(t, queues)
	created := do(t, client, create, http.StatusCreated)
	stop()

	run(t, queues)
	id := map[string]string{"id": strings.TrimPrefix(created.Header.Get("Location"), "/v1/orders/")}
	got := do(t, client, &rpc.Request{Queue: "orders.get", Identity: demo, Params: id}, http.StatusOK)
	if diff := cmp.Diff(string(created.Body), string(got.Body)); diff != "" {
		t.Error(diff)
	}
	do(t, client, &rpc.Request{Queue: "orders.cancel", Identity: demo, Params: id}, http.StatusOK)
	do(t, client, &rpc.Request{Queue: "orders.cancel", Identity: demo, Params: id}, http.StatusConflict)
}

func TestStartErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "orders.db")
	var log bytes.Buffer
	err := service.Run(t.Context(), New(), []string{"--orders-database=" + path, "--admin-addr="},
		service.WithBroker(inmem.New()), service.WithOutput(&log, &log))
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}
