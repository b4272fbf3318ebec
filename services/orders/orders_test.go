package orders

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs the service over queues with its database in the file.
func run(t *testing.T, queues *inmem.Server, database string) *servicetest.Instance {
	t.Helper()
	return servicetest.Run(t, New(), queues.ConnectAs("orders"), "--orders-database="+database)
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

// statuses returns the statuses of the caller's orders, newest first.
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
			t.Errorf("order created in the future, at %s", o.CreatedAt)
		}
		list = append(list, o.Status)
	}
	return list
}

var demo = &rpc.Identity{Subject: "0190a6d0-0000-7000-8000-000000000001", Username: "demo"}

func TestDemoData(t *testing.T) {
	database := filepath.Join(t.TempDir(), "orders.db")
	queues := inmem.NewServer()
	client := servicetest.NewClient(t, queues)
	want := []string{"pending", "paid", "shipped", "cancelled", "delivered"}

	t.Setenv("DEMO_DATA", "true")
	for range 2 { // the second start finds all of it
		service := run(t, queues, database)
		if diff := cmp.Diff(want, statuses(t, client, demo)); diff != "" {
			t.Error(diff)
		}
		if others := statuses(t, client, &rpc.Identity{Subject: "another"}); len(others) != 0 {
			t.Errorf("another customer sees %d orders", len(others))
		}
		service.Stop()
	}
}

func TestNoDemoDataUnlessAsked(t *testing.T) {
	t.Setenv("DEMO_DATA", "") // restores the variable at the end of the test
	if err := os.Unsetenv("DEMO_DATA"); err != nil {
		t.Fatal(err)
	}
	queues := inmem.NewServer()
	client := servicetest.NewClient(t, queues)
	run(t, queues, filepath.Join(t.TempDir(), "orders.db"))
	if list := statuses(t, client, demo); len(list) != 0 {
		t.Errorf("%d orders at the first start", len(list))
	}
}

func TestOrdersOutliveTheService(t *testing.T) {
	database := filepath.Join(t.TempDir(), "orders.db")
	queues := inmem.NewServer()
	client := servicetest.NewClient(t, queues)
	create := &rpc.Request{
		Queue: "orders.create", Identity: demo, ContentType: "application/json",
		Body: []byte(`{"currency":"EUR","items":[{"sku":"teapot","quantity":1}]}`),
	}
	service := run(t, queues, database)
	created := do(t, client, create, http.StatusCreated)
	service.Stop()

	run(t, queues, database)
	id := map[string]string{"id": strings.TrimPrefix(created.Header.Get("Location"), "/v1/orders/")}
	got := do(t, client, &rpc.Request{Queue: "orders.get", Identity: demo, Params: id}, http.StatusOK)
	if diff := cmp.Diff(string(created.Body), string(got.Body)); diff != "" {
		t.Error(diff)
	}
	do(t, client, &rpc.Request{Queue: "orders.cancel", Identity: demo, Params: id}, http.StatusOK)
	do(t, client, &rpc.Request{Queue: "orders.cancel", Identity: demo, Params: id}, http.StatusConflict)
}

func TestStartErrors(t *testing.T) {
	spoiled := filepath.Join(t.TempDir(), "orders.db")
	if err := os.WriteFile(spoiled, []byte(strings.Repeat("not a database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{ // by database, what the error names
		spoiled: spoiled,
		"":      "ORDERS_DATABASE must be set",
	}
	for database, want := range tests {
		err := servicetest.Start(t, New(), inmem.New(), "--orders-database="+database).Wait()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("database %q: got %v, want %s", database, err, want)
		}
	}
}
