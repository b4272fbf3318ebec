// Package identitykeys keeps the public keys that verify identities in a directory. The service that signs identities
// publishes its keys there, and the others read them. Each key is a file in PEM (SubjectPublicKeyInfo, RFC 5280), named after
// the key's ID: "<ID>.pem".
package identitykeys

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	extension = ".pem"
	pemType   = "PUBLIC KEY"
	// rereadAfter bounds how often a request with an unknown key has the directory read.
	rereadAfter = time.Second
	// forgetAfter is how long a key counts whose file was removed.
	forgetAfter = time.Minute
)

// Publish writes a public key for readers of the directory, unless it is there.
func Publish(directory, id string, key ed25519.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return fmt.Errorf("publish key %s: %w", id, err)
	}
	path := filepath.Join(directory, id+extension)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	temporary, err := os.CreateTemp(directory, ".new-*")
	if err != nil {
		return fmt.Errorf("publish key %s: %w", id, err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	err = pem.Encode(temporary, &pem.Block{Type: pemType, Bytes: der})
	// Other services, which may run as other users, read the file.
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("publish key %s: %w", id, err)
	}
	return nil
}

// Directory finds keys. Its methods are safe for concurrent use.
type Directory struct {
	path   string
	logger *slog.Logger

	mu   sync.Mutex
	keys map[string]ed25519.PublicKey
	read time.Time
}

// NewDirectory returns the keys in the directory, which need not exist yet. It logs files that hold no key.
func NewDirectory(path string, logger *slog.Logger) *Directory {
	return &Directory{path: path, logger: logger}
}

// Key returns the key with an ID, or nil if there is none. New keys are found within a second.
func (d *Directory) Key(id string) ed25519.PublicKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := time.Since(d.read); age > forgetAfter || age > rereadAfter && d.keys[id] == nil {
		d.read = time.Now()
		keys, err := readAll(d.path)
		if err != nil {
			d.logger.Error("read the keys of identities", "directory", d.path, "error", err)
		}
		d.keys = keys
	}
	return d.keys[id]
}

// readAll returns the keys that can be read, also if the error says that others can't.
func readAll(directory string) (map[string]ed25519.PublicKey, error) {
	entries, err := os.ReadDir(directory)
	errs := []error{err}
	keys := make(map[string]ed25519.PublicKey, len(entries))
	for _, entry := range entries {
		id, ok := strings.CutSuffix(entry.Name(), extension)
		if !ok || strings.HasPrefix(id, ".") {
			continue
		}
		key, err := readKey(filepath.Join(directory, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", entry.Name(), err))
			continue
		}
		keys[id] = key
	}
	return keys, errors.Join(errs...)
}

func readKey(path string) (ed25519.PublicKey, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != pemType {
		return nil, errors.New("not a public key in PEM")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := public.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%T, not an Ed25519 key", public)
	}
	return key, nil
}
