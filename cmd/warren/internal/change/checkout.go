package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	filePermissions   = 0o644
	folderPermissions = 0o755
)

// file is a file as it was before the change or is after it. Without content there is none.
type file struct {
	content []byte
	mode    fs.FileMode
}

// Root returns the folder of the Warren system that the working directory is in.
func Root() (string, error) { return findCheckout(".") }

// findCheckout returns the folder of the Warren system that a folder is in.
func findCheckout(folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	for at := folder; ; at = filepath.Dir(at) {
		isRoot := true
		for _, name := range []string{"go.work", "pkg/go.mod", "services", "tools/generate"} {
			_, err := os.Stat(filepath.Join(at, filepath.FromSlash(name)))
			isRoot = isRoot && err == nil
		}
		if isRoot {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", Refuse("%s is in no checkout of a Warren system", folder)
		}
	}
}

// Git runs git in a folder and returns what it prints.
func Git(ctx context.Context, folder string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = folder
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return out, fmt.Errorf("git %s: %w", args[0], err)
}

func refuseUncommitted(ctx context.Context, root string) error {
	status, err := Git(ctx, root, "status", "--porcelain", "--untracked-files=normal", "--", ".")
	if err != nil {
		return Refuse("%s is not under git, so the change could not be undone: %v", root, err)
	}
	if len(status) > 0 {
		return Refuse("the work tree has changes that are not committed: commit or stash them, or use --force")
	}
	return nil
}

// copyCheckout copies the files that git tracks, or would, to folder. It also returns them.
func copyCheckout(ctx context.Context, root, folder string) (*Tree, map[string]file, error) {
	list, err := Git(ctx, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, nil, err
	}
	files := map[string]file{}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		f, err := readFile(filepath.Join(root, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, which is not committed
		}
		if err != nil {
			return nil, nil, err
		}
		if f.content == nil {
			continue // a link to a folder, or another repository
		}
		if err := writeFile(filepath.Join(folder, filepath.FromSlash(name)), f.content, f.mode); err != nil {
			return nil, nil, err
		}
		files[name] = f
	}
	tree, err := OpenTree(folder)
	return tree, files, err
}

func readFile(path string) (file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return file{}, err
	}
	if !info.Mode().IsRegular() {
		return file{}, nil
	}
	content, err := os.ReadFile(path)
	if content == nil {
		content = []byte{}
	}
	return file{content, info.Mode().Perm()}, err
}

func writeFile(path string, content []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), folderPermissions); err != nil {
		return err
	}
	return os.WriteFile(path, content, mode)
}
