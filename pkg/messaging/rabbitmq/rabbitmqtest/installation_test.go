package rabbitmqtest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFindIn(t *testing.T) {
	empty, partial, notExecutable, complete := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	write := func(dir, name string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	write(partial, "rabbitmq-server", 0o755)
	write(notExecutable, "rabbitmq-server", 0o644)
	write(notExecutable, "rabbitmqctl", 0o755)
	write(complete, "rabbitmq-server", 0o755)
	write(complete, "rabbitmqctl", 0o755)

	if _, err := findIn([]string{empty, partial, notExecutable, "missing"}); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("findIn = %v, want ErrNotInstalled", err)
	}
	got, err := findIn([]string{empty, complete})
	if err != nil {
		t.Fatal(err)
	}
	want := installation{server: filepath.Join(complete, "rabbitmq-server"), ctl: filepath.Join(complete, "rabbitmqctl")}
	if got != want {
		t.Errorf("findIn = %+v, want %+v", got, want)
	}
}

func TestFindInstallationOfOneVersion(t *testing.T) {
	chosen := t.TempDir()
	t.Setenv("RABBITMQ_SBIN", chosen)
	if i, err := findInstallation(); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("in an empty folder: %+v, %v, want ErrNotInstalled", i, err)
	}
	for _, name := range []string{"rabbitmq-server", "rabbitmqctl"} {
		if err := os.WriteFile(filepath.Join(chosen, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	i, err := findInstallation()
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(i.server) != chosen {
		t.Errorf("found %s, want it in %s", i.server, chosen)
	}
}

// TestFindInstallationOfTheCache checks that the wanted version comes before the machine's own.
func TestFindInstallationOfTheCache(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache) // of which macOS derives the cache
	t.Setenv("RABBITMQ_SBIN", "")
	t.Setenv(versionVariable, "9.8")
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sbin := filepath.Join(base, "warren", "rabbitmq", "9.8", "sbin")
	if err := os.MkdirAll(sbin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rabbitmq-server", "rabbitmqctl"} {
		if err := os.WriteFile(filepath.Join(sbin, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	i, err := findInstallation()
	if want := filepath.Join(sbin, "rabbitmq-server"); err != nil || i.server != want {
		t.Errorf("findInstallation = %+v, %v, want %s", i, err, want)
	}
}
