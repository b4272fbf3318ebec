package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	extension    = ".pem"
	nextSuffix   = ".next" + extension // of a key that does not sign yet
	maxFileBytes = 64 << 10
)

// isShared reports whether its group or other users can add files to the directory. It returns an error if other users can also
// replace files, because a user who writes a key can sign in this service's name.
func isShared(directory string) (bool, error) {
	info, err := os.Stat(directory)
	if err != nil {
		return false, err
	}
	mode := info.Mode().Perm()
	if mode&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return false, fmt.Errorf("%s: mode %#o: other users may write to it: run chmod o-w %[1]s, where it is mounted from if it is "+
			"mounted read-only", directory, mode)
	}
	return mode&0o022 != 0, nil
}

// makeFile generates the first key of an algorithm. Its name is fixed and os.Link is atomic, so that one of several concurrent
// processes creates the file and the others keep it. read ignores the temporary file.
func makeFile(directory string, algorithm Algorithm) error {
	private, err := generate(algorithm)
	if err != nil {
		return err
	}
	content, err := encode(private)
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
	path := filepath.Join(directory, "0001-"+strings.ToLower(string(algorithm))+extension)
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// read returns the keys in the directory. One unusable key is an error.
func (r *Ring) read() (*keys, error) {
	shared, err := isShared(r.options.Directory)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(r.options.Directory)
	if err != nil {
		return nil, err
	}
	found := &keys{byID: map[string]Key{}, signing: map[Algorithm]Key{}}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || filepath.Ext(name) != extension {
			continue
		}
		path := filepath.Join(r.options.Directory, name)
		k, err := readFile(path, shared)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		k.file = name
		found.all = append(found.all, k)
		found.byID[k.ID] = k
		if !strings.HasSuffix(name, nextSuffix) {
			found.signing[k.Algorithm] = k
		}
	}
	return found, nil
}

// readFile reads a key from a file that only its owner and its group may use. The group may write to it if it may read it, as
// who reads a key can sign anyway: Kubernetes gives these permissions to the files of a volume with fsGroup, at each mount. In
// a shared directory, the file must be one of root or of this process's user.
func readFile(path string, shared bool) (Key, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // does not wait for the writer of a named pipe
	if err != nil {
		return Key{}, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return Key{}, err
	}
	if !info.Mode().IsRegular() {
		return Key{}, errors.New("not a regular file")
	}
	if mode := info.Mode().Perm(); mode&^0o660 != 0 || mode&0o060 == 0o020 {
		return Key{}, fmt.Errorf("mode %#o: other users may use the key: run chmod 600 %s; for a mounted Kubernetes Secret, set "+
			"defaultMode: 0400", mode, path)
	}
	if shared && !isOurs(info) {
		return Key{}, errors.New("owned by another user, in a directory that several users may write to")
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFileBytes))
	if err != nil {
		return Key{}, err
	}
	return decode(content)
}
