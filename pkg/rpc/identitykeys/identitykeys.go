// Package identitykeys keeps the public keys that verify identities in a directory. The service that signs identities
// publishes its keys there, and the others read them. Each key is a file in PEM (SubjectPublicKeyInfo, RFC 5280), named after
// the key's ID: "<ID>.pem".
package identitykeys

import (
	"cmp"
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
	// rereadAfter is the minimum age of the keys before an unknown ID causes a read of the directory.
	rereadAfter = time.Second
	// forgetAfter is how long a key stays in use after its file was removed.
	forgetAfter = time.Minute
)

// Publish writes a public key for readers of the directory, unless it is there.
func Publish(directory, id string, key ed25519.PublicKey) error {
	path := filepath.Join(directory, id+extension)
	if published, err := readKey(path); err == nil && key.Equal(published) {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(directory, ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	err = pem.Encode(temporary, &pem.Block{Type: pemType, Bytes: der})
	// Other services, which may run as other users, read the file.
	if err := errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
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
		if err := d.readAll(); err != nil {
			d.logger.Error("read the keys of identities; the previous ones stay in use", "directory", d.path, "error", err)
		}
	}
	return d.keys[id]
}

// readAll reads the files and puts their keys into use. A key whose file can't be read stays in use.
func (d *Directory) readAll() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	var errs []error
	keys := make(map[string]ed25519.PublicKey, len(entries))
	for _, entry := range entries {
		id, ok := strings.CutSuffix(entry.Name(), extension)
		if !ok || strings.HasPrefix(id, ".") {
			continue
		}
		key, err := readKey(filepath.Join(d.path, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", entry.Name(), err))
			key = d.keys[id]
		}
		keys[id] = key
	}
	d.keys = keys
	return errors.Join(errs...)
}

func readKey(path string) (ed25519.PublicKey, error) {
	// Opening a named pipe would wait for a writer.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, errors.New("not a regular file"))
	}
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
