package identitykeys

import (
	"bytes"
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
		publish(t, d.path, "a", b)  // it is there
		time.Sleep(2 * rereadAfter) //nolint:forbidigo // in the bubble's time
		wantKey(t, d, "a", a)
		publish(t, d.path, "b", b)
		wantKey(t, d, "b", nil)     // the directory was read just now
		time.Sleep(2 * rereadAfter) //nolint:forbidigo // in the bubble's time
		wantKey(t, d, "b", b)
		wantKey(t, d, "../keys/a", nil)

		if err := os.Remove(filepath.Join(d.path, "a.pem")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d.path, "c.pem"), []byte("no key"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * forgetAfter) //nolint:forbidigo // in the bubble's time
		wantKey(t, d, "a", nil)
		wantKey(t, d, "b", b)
		wantKey(t, d, "c", nil)
		if !strings.Contains(log.String(), "c.pem: not a public key in PEM") {
			t.Errorf("log: %s", &log)
		}
	})
}

func TestPublishFails(t *testing.T) {
	if err := Publish(filepath.Join(t.TempDir(), "missing"), "a", newKey(t)); err == nil || !strings.Contains(err.Error(), "publish key a: ") {
		t.Errorf("error %v", err)
	}
}
