package identitykeys

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// pass lets a time of the synctest bubble pass.
func pass(d time.Duration) { <-time.After(d) }

func newKey(t *testing.T) ed25519.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func publish(t *testing.T, directory, id string, key ed25519.PublicKey) {
	t.Helper()
	if err := Publish(directory, id, key); err != nil {
		t.Fatal(err)
	}
}

func wantKey(t *testing.T, d *Directory, id string, want ed25519.PublicKey) {
	t.Helper()
	if got := d.Key(id); !bytes.Equal(got, want) {
		t.Errorf("key %s is %x, want %x", id, got, want)
	}
}

func TestDirectory(t *testing.T) {
	path := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := NewDirectory(filepath.Join(path, "keys"), slog.New(slog.NewTextHandler(&log, nil)))
		wantKey(t, d, "a", nil) // the directory does not exist yet
		if err := os.Mkdir(filepath.Join(path, "keys"), 0o700); err != nil {
			t.Fatal(err)
		}
		a, b := newKey(t), newKey(t)
		publish(t, d.path, "a", a)
		pass(2 * rereadAfter)
		wantKey(t, d, "a", a)
		publish(t, d.path, "b", b)
		wantKey(t, d, "b", nil) // the directory was read just now
		pass(2 * rereadAfter)
		wantKey(t, d, "b", b)
		wantKey(t, d, "../keys/a", nil)

		if err := os.Remove(filepath.Join(d.path, "a.pem")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d.path, "c.pem"), []byte("no key"), 0o600); err != nil {
			t.Fatal(err)
		}
		pass(2 * forgetAfter)
		wantKey(t, d, "a", nil)
		wantKey(t, d, "b", b)
		wantKey(t, d, "c", nil)
		if !strings.Contains(log.String(), "c.pem: not a public key in PEM") {
			t.Errorf("log: %s", &log)
		}
	})
}

// What can't be read, for example while a volume is away, invalidates no identity.
func TestUnreadableFilesChangeNothing(t *testing.T) {
	tests := map[string]func(path string) error{
		"file":      func(path string) error { return os.WriteFile(filepath.Join(path, "a.pem"), nil, 0o600) },
		"directory": func(path string) error { return os.Rename(path, path+".away") },
		"not a directory": func(path string) error {
			return errors.Join(os.Rename(path, path+".away"), os.WriteFile(path, nil, 0o600))
		},
		"named pipe": func(path string) error {
			file := filepath.Join(path, "a.pem")
			return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600))
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				d := NewDirectory(filepath.Join(t.TempDir(), "keys"), slog.New(slog.NewTextHandler(&log, nil)))
				if err := os.Mkdir(d.path, 0o700); err != nil {
					t.Fatal(err)
				}
				a := newKey(t)
				publish(t, d.path, "a", a)
				wantKey(t, d, "a", a)
				if err := spoil(d.path); err != nil {
					t.Fatal(err)
				}
				pass(2 * forgetAfter)
				wantKey(t, d, "a", a)
				if !strings.Contains(log.String(), "the previous ones stay in use") {
					t.Errorf("log: %s", &log)
				}
			})
		})
	}
}

// Publish replaces what is not the key, such as a file that a power cut left empty, and needs to write nothing otherwise.
func TestPublishAgain(t *testing.T) {
	directory, key := t.TempDir(), newKey(t)
	path := filepath.Join(directory, "a.pem")
	for _, content := range []string{"", "no key"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		publish(t, directory, "a", key)
		wantKey(t, NewDirectory(directory, slog.New(slog.DiscardHandler)), "a", key)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, directory, "a", key)
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was written again: %v", err)
	}
}

func TestPublishFails(t *testing.T) {
	if err := Publish(filepath.Join(t.TempDir(), "missing"), "a", newKey(t)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
