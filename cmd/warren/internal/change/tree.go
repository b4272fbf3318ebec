package change

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Tree is a copy of a checkout. Paths are slash-separated and relative to Root.
type Tree struct {
	Root   string // a temporary folder
	Module string // what the module paths begin with, e.g. example.com/warren
}

// OpenTree returns the tree in a folder, which must hold a Warren system.
func OpenTree(root string) (*Tree, error) {
	text, err := os.ReadFile(filepath.Join(root, "pkg", "go.mod"))
	if err != nil {
		return nil, err
	}
	module, found := strings.CutSuffix(modfile.ModulePath(text), "/pkg")
	if !found {
		return nil, fmt.Errorf("pkg/go.mod: the module's path does not end with /pkg")
	}
	return &Tree{Root: root, Module: module}, nil
}

// Read returns a file's content.
func (t *Tree) Read(name string) ([]byte, error) { return os.ReadFile(t.path(name)) }

// Write writes a file and makes its folder. A file that exists keeps its mode.
func (t *Tree) Write(name string, content []byte) error {
	return writeFile(t.path(name), content, filePermissions)
}

// Remove removes a file, or a folder with all that is in it. It returns nil if there is none.
func (t *Tree) Remove(name string) error { return os.RemoveAll(t.path(name)) }

// Exists reports whether there is such a file or folder.
func (t *Tree) Exists(name string) bool {
	_, err := os.Lstat(t.path(name))
	return err == nil
}

// Files returns the names of all files, sorted.
func (t *Tree) Files() ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(t.Root), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, name)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// Services returns the names of the services, sorted.
func (t *Tree) Services() ([]string, error) {
	modules, err := fs.Glob(os.DirFS(t.Root), "services/*/go.mod")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(modules))
	for i, file := range modules {
		names[i] = path.Base(path.Dir(file))
	}
	return names, nil
}

// Go runs the go command in a folder of the tree, outside the workspace.
func (t *Tree) Go(ctx context.Context, folder string, args ...string) error {
	defer Begin(fmt.Sprintf("go %s in %s", strings.Join(args, " "), folder))()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.path(folder)
	// As make build does, so that the packages that it has compiled are used again.
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" -trimpath"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s in %s: %w\n%s", strings.Join(args, " "), folder, err, bytes.TrimSpace(out))
	}
	return nil
}

// Generate does in the tree what make generate does.
func (t *Tree) Generate(ctx context.Context) error { return t.Go(ctx, "tools", "run", "./generate") }

func (t *Tree) path(name string) string { return filepath.Join(t.Root, filepath.FromSlash(name)) }
