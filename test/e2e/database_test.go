package e2e

import (
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
	files := map[string]string{} // by service
	var settings []string
	for setting, service := range system.Databases() {
		files[service] = filepath.Join(volumes, service, "database")
		settings = append(settings, setting+"="+files[service])
	}
	if len(files) == 0 {
		t.Fatal("no service has a database")
	}
	s := suite.LaunchSystem(t, settings...)
	for service, file := range files {
		p := s.Process(service)
		p.AwaitNotReady(t, file)
		awaittest.Until(t, service+" logs what it waits for", func() bool {
			return strings.Contains(p.Output(), "start failed") && strings.Contains(p.Output(), file)
		})
		if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		p.AwaitReady(t)
	}
	s.Gateway.AwaitReady(t)
	s.API.Login(t, "demo")
	for service, file := range files {
		p := s.Process(service)
		if err := os.Rename(file, file+".away"); err != nil {
			t.Fatal(err)
		}
		p.AwaitNotReady(t, `"database":`)
		if err := os.Rename(file+".away", file); err != nil {
			t.Fatal(err)
		}
		p.AwaitReady(t)
	}
	s.API.Login(t, "demo")
}
