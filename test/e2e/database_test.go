package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestDatabaseAway starts services whose volumes are not there yet, and takes a database file away later. The services
// wait, and /readyz and the log say for what.
func TestDatabaseAway(t *testing.T) {
	volumes := t.TempDir()
	files := map[string]string{
		"access-control": filepath.Join(volumes, "users", "access-control.db"),
		"orders":         filepath.Join(volumes, "orders", "orders.db"),
	}
	s := suite.LaunchSystem(t,
		"ACCESS_CONTROL_DATABASE="+files["access-control"], "ORDERS_DATABASE="+files["orders"])
	for _, p := range []*system.Process{s.AccessControl, s.Orders} {
		file := files[p.Service]
		p.AwaitNotReady(t, file)
		awaittest.Until(t, p.Service+" logs what it waits for", func() bool {
			return strings.Contains(p.Output(), "start failed") && strings.Contains(p.Output(), file)
		})
		if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		p.AwaitReady(t)
	}
	s.Gateway.AwaitReady(t)
	api := s.API.Login(t, "demo")
	for _, p := range []*system.Process{s.AccessControl, s.Orders} {
		file := files[p.Service]
		if err := os.Rename(file, file+".away"); err != nil {
			t.Fatal(err)
		}
		p.AwaitNotReady(t, `"database":`)
		if err := os.Rename(file+".away", file); err != nil {
			t.Fatal(err)
		}
		p.AwaitReady(t)
	}
	api.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
}
