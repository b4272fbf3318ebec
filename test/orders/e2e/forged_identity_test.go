package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/rpc"
)

// TestForgedIdentity has a stolen broker user, access-control, call orders with identities that it invented. Orders takes none
// of them, and counts them, while the identity of a user who logged in counts.
func TestForgedIdentity(t *testing.T) {
	s := suite.StartSystem(t)
	user := s.API.Login(t, "demo")
	user.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	thief := rpc.NewClient(suite.Connect(t, "access-control"), rpc.ClientOptions{Name: "access-control", Instance: "thief"})
	if err := thief.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := thief.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	keys, err := filepath.Glob(filepath.Join(s.Dir, "identity-keys", "*.pem"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("published keys: %v, %v", keys, err)
	}
	known := strings.TrimSuffix(filepath.Base(keys[0]), ".pem")
	signed := "subject=admin&scope=orders%3Aall&scope=orders%3Aread&key=" + known + "&signature=" +
		"W8Ftw1PDj0r5bq3tE3M6RvNhdCnO8abL_oKHls39CaxVVl-LX5sUSFQjwwpGHQEb3H4v3kGG_koDP3a6Dl6ZAA"
	for name, identity := range map[string]*rpc.Identity{
		"not signed":              {Subject: "admin", Scopes: []string{"orders:all", "orders:read"}},
		"with another signature":  {Subject: "admin", Assertion: signed},
		"expired":                 {Subject: "admin", Scopes: []string{"orders:all"}, ExpiresAt: time.Now().Add(-time.Hour)},
		"of the caller's service": {Subject: "access-control", Scopes: []string{"orders:all", "orders:read"}},
	} {
		reply, err := thief.Do(t.Context(), &rpc.Request{Queue: "orders.getAll", Identity: identity})
		if err != nil {
			t.Fatal(err)
		}
		if reply.Status != http.StatusUnauthorized {
			t.Errorf("an identity %s: status %d, want 401: %s", name, reply.Status, reply.Body)
		}
	}
	if n := s.Process("orders").Metric(t, "rpc_server_refused_identities_total"); n != 4 {
		t.Errorf("orders counted %v refused identities, want 4", n)
	}
}
