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

// TestMethods calls the service over the in-memory broker.
func TestMethods(t *testing.T) {
	queues := inmem.NewServer()
	database := "--skeleton-database=" + filepath.Join(t.TempDir(), "test.db")
	servicetest.Run(t, New(), queues.ConnectAs("skeleton"), database, "--demo-data")
	client := servicetest.NewClient(t, queues)
	call := func(method string, caller *rpc.Identity, id, body string) *rpc.Reply {
		t.Helper()
		reply, err := client.Do(t.Context(), &rpc.Request{
			Queue: "skeleton." + method, Identity: caller, Params: map[string]string{"id": id},
			Header: http.Header{"Idempotency-Key": {"key"}}, ContentType: "application/json", Body: []byte(body),
		})
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	alice, bob, demo := &rpc.Identity{Subject: "alice"}, &rpc.Identity{Subject: "bob"}, &rpc.Identity{Subject: demoUser.ID}
	name := func(length int) string { return `{"name":"` + strings.Repeat("é", length) + `"}` }

	created := call("create", alice, "", name(100))
	id, ok := strings.CutPrefix(created.Header.Get("Location"), "/v1/widgets/")
	if created.Status != http.StatusCreated || !ok {
		t.Fatalf("status %d, header %v: %s", created.Status, created.Header, created.Body)
	}
	for _, test := range []struct {
		name, method string
		caller       *rpc.Identity
		id, body     string
		status       int
		want         string // part of the reply's body
	}{
		{"create with the same key", "create", alice, "", name(1), 201, string(created.Body)},
		{"create without a name", "create", alice, "", `{}`, 422, `"field":"name"`},
		{"create with a long name", "create", alice, "", name(101), 422, `"field":"name"`},
		{"create without an identity", "create", nil, "", name(1), 401, ""},
		{"get", "get", alice, id, "", 200, string(created.Body)},
		{"get another user's", "get", bob, id, "", 404, ""},
		{"get without an identity", "get", nil, id, "", 401, ""},
		{"list", "getAll", alice, "", "", 200, `{"widgets":[` + string(created.Body) + `]}`},
		{"list of another user", "getAll", bob, "", "", 200, `{"widgets":[]}`},
		{"list of the demo data", "getAll", demo, "", "", 200, "Third"},
		{"list without an identity", "getAll", nil, "", "", 401, ""},
	} {
		reply := call(test.method, test.caller, test.id, test.body)
		if reply.Status != test.status || !strings.Contains(string(reply.Body), test.want) {
			t.Errorf("%s: status %d, want %d with %s: %s", test.name, reply.Status, test.status, test.want, reply.Body)
		}
	}
}
