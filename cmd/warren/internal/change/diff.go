package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// fileChange is what happens to one file. One of before and after may have no content: the file is new, or goes.
type fileChange struct {
	name          string
	before, after file
}

// compare returns what differs in the tree, sorted by name.
func compare(before map[string]file, tree *Tree) ([]fileChange, error) {
	names, err := tree.Files()
	if err != nil {
		return nil, err
	}
	var changes []fileChange
	for _, name := range names {
		after, err := readFile(tree.path(name))
		if err != nil {
			return nil, err
		}
		if old := before[name]; old.content == nil || !bytes.Equal(old.content, after.content) {
			changes = append(changes, fileChange{name, old, after})
		}
	}
	for name, old := range before {
		if !tree.Exists(name) {
			changes = append(changes, fileChange{name: name, before: old})
		}
	}
	slices.SortFunc(changes, func(a, b fileChange) int { return strings.Compare(a.name, b.name) })
	return changes, nil
}

// printDiff prints the changes so that git apply can read them.
func printDiff(ctx context.Context, out io.Writer, changes []fileChange) (err error) {
	folder, err := os.MkdirTemp("", "warren-diff-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	for _, side := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(folder, side), folderPermissions); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if err := errors.Join(
			put(filepath.Join(folder, "a", c.name), c.before),
			put(filepath.Join(folder, "b", c.name), c.after),
		); err != nil {
			return err
		}
	}
	text, err := Git(ctx, folder, "diff", "--no-index", "--no-prefix", "--no-renames", "--no-color", "--no-ext-diff", "a", "b")
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) { // 1: there are differences
		return err
	}
	_, err = out.Write(text)
	return err
}

// write makes the changes. If one fails, it takes back those before it.
func write(root string, changes []fileChange) error {
	for _, c := range changes {
		now, err := readFile(filepath.Join(root, filepath.FromSlash(c.name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !bytes.Equal(now.content, c.before.content) || (now.content == nil) != (c.before.content == nil) {
			return fmt.Errorf("%s was changed in the meantime: nothing was written, run the command again", c.name)
		}
	}
	for i, c := range changes {
		err := put(filepath.Join(root, filepath.FromSlash(c.name)), c.after)
		if err == nil {
			continue
		}
		for _, done := range slices.Backward(changes[:i+1]) {
			err = errors.Join(err, put(filepath.Join(root, filepath.FromSlash(done.name)), done.before))
			if done.before.content == nil {
				removeEmptyFolders(root, path.Dir(done.name))
			}
		}
		return fmt.Errorf("write the change, of which nothing is left: %w", err)
	}
	for _, c := range changes {
		if c.after.content == nil {
			removeEmptyFolders(root, path.Dir(c.name))
		}
	}
	return nil
}

// put makes a file what f says.
func put(path string, f file) error {
	if f.content != nil {
		return writeFile(path, f.content, f.mode)
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeEmptyFolders removes a folder and those above it, as long as nothing is in them.
func removeEmptyFolders(root, folder string) {
	for folder != "." && os.Remove(filepath.Join(root, filepath.FromSlash(folder))) == nil {
		folder = path.Dir(folder)
	}
}
