package jwt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	privateKeyExtension = ".pem"
	secretExtension     = ".secret"
	maxKeyFileBytes     = 64 << 10
)

var keyID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// makeKeyDirectory makes the directory unless it exists. Who can write to it can make tokens for anybody.
func makeKeyDirectory(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(directory)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("%s: mode %#o: others may write to it; run chmod 700 %[1]s", directory, mode)
	}
	return nil
}

// makeKeyFile makes the first key of an algorithm. Its name is fixed and the file appears whole or not at all, so that
// of several processes one succeeds; for the others nothing is left to do.
func makeKeyFile(directory string, algorithm Algorithm) error {
	content, err := newKeyFile(algorithm)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	extension := privateKeyExtension
	if algorithm == HS256 {
		extension = secretExtension
	}
	name := "0001-" + strings.ToLower(string(algorithm)) + extension
	temporary, err := writeTemporary(directory, content)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	defer func() { _ = os.Remove(temporary) }()
	if err := os.Link(temporary, filepath.Join(directory, name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a key: %w", err)
	}
	return nil
}

// writeTemporary writes a file with mode 0600, which readKeyFiles passes over, and returns its path.
func writeTemporary(directory string, content []byte) (path string, err error) {
	file, err := os.CreateTemp(directory, ".new-*")
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if _, err := file.Write(content); err != nil {
		return "", err
	}
	return file.Name(), file.Sync()
}

// readKeyFiles reads the keys in directory, those of HS256 only if it is the configured algorithm. A key that can't be
// used is an error: to go without it would refuse good tokens.
func readKeyFiles(directory string, algorithm Algorithm) ([]key, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var keys []key
	for _, entry := range entries {
		parse := parserOf(entry.Name(), algorithm)
		if parse == nil {
			continue
		}
		path := filepath.Join(directory, entry.Name())
		k, err := readKeyFile(path, parse)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if slices.ContainsFunc(keys, func(other key) bool { return other.id == k.id }) {
			return nil, fmt.Errorf("%s: another key has the id %s", path, k.id)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

type parser func(id string, content []byte) (key, error)

// parserOf returns nil for files that are not keys.
func parserOf(name string, algorithm Algorithm) parser {
	switch {
	case strings.HasPrefix(name, "."):
		return nil
	case filepath.Ext(name) == privateKeyExtension:
		return parsePrivateKey
	case filepath.Ext(name) == secretExtension && algorithm == HS256:
		return parseSecret
	default:
		return nil
	}
}

func readKeyFile(path string, parse parser) (key, error) {
	id := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if !keyID.MatchString(id) {
		return key{}, errors.New("not the name of a key: letters, digits and . _ - only, 64 at most")
	}
	content, err := readPrivate(path)
	if err != nil {
		return key{}, err
	}
	return parse(id, content)
}

// readPrivate reads a file that must be its owner's alone.
func readPrivate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return nil, fmt.Errorf("mode %#o: a key must be readable by its owner alone; run chmod 600 %s", mode, path)
	}
	return io.ReadAll(io.LimitReader(file, maxKeyFileBytes))
}
