package jwt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	keyExtension    = ".pem"
	maxKeyFileBytes = 64 << 10
)

var keyID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// makeKeyDirectory creates the directory unless it exists, and checks its mode: a user who can write to it can issue
// tokens for anyone.
func makeKeyDirectory(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(directory)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("%s: mode %#o: other users may write to it; run chmod 700 %[1]s", directory, mode)
	}
	return nil
}

// makeKeyFile generates the first key of an algorithm. Its name is fixed and os.Link is atomic, so that one of several
// concurrent processes creates the file and the others keep it. readKeyFiles ignores the temporary file.
func makeKeyFile(directory string, algorithm Algorithm) error {
	private, err := generateKey(algorithm)
	if err != nil {
		return err
	}
	content, err := encodeKey(private)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(directory, ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	path := filepath.Join(directory, "0001-"+strings.ToLower(string(algorithm))+keyExtension)
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// readKeyFiles reads the keys in directory. One unusable key fails the start, because to run without it would reject
// valid tokens.
func readKeyFiles(directory string) ([]key, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var keys []key
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || filepath.Ext(name) != keyExtension {
			continue
		}
		path := filepath.Join(directory, name)
		k, err := readKeyFile(path, strings.TrimSuffix(name, keyExtension))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// readKeyFile reads a key from a file that only its owner may read.
func readKeyFile(path, id string) (key, error) {
	if !keyID.MatchString(id) {
		return key{}, errors.New("a key's name has at most 64 letters, digits and any of . _ -")
	}
	file, err := os.Open(path)
	if err != nil {
		return key{}, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return key{}, err
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return key{}, fmt.Errorf("mode %#o: only its owner may read a key; run chmod 600 %s", mode, path)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFileBytes))
	if err != nil {
		return key{}, err
	}
	return decodeKey(id, content)
}
