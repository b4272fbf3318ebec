package skeleton

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs the service over the in-memory broker and returns a client.
func run(t *testing.T, args ...string) *rpc.Client {
	t.Helper()
	queues := inmem.NewServer()
	database := filepath.Join(t.TempDir(), "skeleton.db")
	servicetest.Run(t, New(), queues.ConnectAs("skeleton"), append(args, "--skeleton-database="+database)...)
	return servicetest.NewClient(t, queues)
}

func TestMethods(t *testing.T) {
	client := run(t, "--demo-data=false")
	alice, bob := &rpc.Identity{Subject: "alice"}, &rpc.Identity{Subject: "bob"}
	create := func(who *rpc.Identity, body string) *rpc.Request {
		return &rpc.Request{
			Queue: "skeleton.create", Identity: who, ContentType: "application/json", Body: []byte(body),
			Header: http.Header{"Idempotency-Key": {"key"}},
		}
	}
	created, err := client.Do(t.Context(), create(alice, `{"name":"é"}`))
	if err != nil {
		t.Fatal(err)
	}
	id, ok := strings.CutPrefix(created.Header.Get("Location"), "/v1/widgets/")
	if created.Status != http.StatusCreated || !ok {
		t.Fatalf("create: status %d, header %v: %s", created.Status, created.Header, created.Body)
	}
	get := func(who *rpc.Identity, id string) *rpc.Request {
		return &rpc.Request{Queue: "skeleton.get", Identity: who, Params: map[string]string{"id": id}}
	}
	getAll := func(who *rpc.Identity) *rpc.Request { return &rpc.Request{Queue: "skeleton.getAll", Identity: who} }
	for _, test := range []struct {
		name    string
		request *rpc.Request
		status  int
		body    string // part of it
	}{
		{"create again", create(alice, `{"name":"é"}`), 201, string(created.Body)},
		{"create with a used key", create(alice, `{"name":"other"}`), 422, "idempotency-key-reused"},
		{"create without a name", create(alice, `{}`), 422, `"field":"name"`},
		{"create with a long name", create(alice, `{"name":"`+strings.Repeat("é", 101)+`"}`), 422, `"field":"name"`},
		{"create as nobody", create(nil, `{"name":"é"}`), 401, ""},
		{"get", get(alice, id), 200, string(created.Body)},
		{"get as another user", get(bob, id), 404, ""},
		{"get as nobody", get(nil, id), 401, ""},
		{"get an unknown ID", get(alice, "unknown"), 404, ""},
		{"list", getAll(alice), 200, `{"widgets":[` + string(created.Body) + `]}`},
		{"list as another user", getAll(bob), 200, `{"widgets":[]}`},
		{"list as nobody", getAll(nil), 401, ""},
	} {
		reply, err := client.Do(t.Context(), test.request)
		if err != nil {
			t.Fatal(err)
		}
		if reply.Status != test.status || !strings.Contains(string(reply.Body), test.body) {
			t.Errorf("%s: status %d, want %d with %s: %s", test.name, reply.Status, test.status, test.body, reply.Body)
		}
	}
}

func TestDemoData(t *testing.T) {
	client := run(t, "--demo-data")
	reply, err := client.Do(t.Context(), &rpc.Request{Queue: "skeleton.getAll", Identity: &rpc.Identity{Subject: demoUser.ID}})
	if err != nil || !strings.Contains(string(reply.Body), "First widget") {
		t.Errorf("%v: %s", err, reply.Body)
	}
}
