package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// repository is what the first stage reads.
type repository struct {
	goVersion string    // the highest of its modules
	modules   []string  // folders of the workspace's modules
	services  []service // sorted by name
	warren    *modfile.File
}

// prefix returns what all module paths of the repository begin with, e.g. "example.com/warren/".
func (r *repository) prefix() string {
	return strings.TrimSuffix(r.warren.Module.Mod.Path, warrenModule)
}

// hasModule reports whether path is the module of a service.
func (r *repository) hasModule(path string) bool {
	return slices.ContainsFunc(r.services, func(s service) bool { return s.module == path })
}

// service is a folder of services/.
type service struct {
	name   string // of the folder, e.g. "access-control"
	module string // path of its Go module
}

// packageName returns the name of the service's Go package: its own without hyphens.
func (s service) packageName() string { return strings.ReplaceAll(s.name, "-", "") }

// workspacePatterns match the folders of the workspace's modules. tools is left out: its dependencies are those of the
// linters, and the workspace would have to agree with them on versions.
var workspacePatterns = []string{"cmd/*", "pkg", "services/*", "test"}

// warrenModule is the module that imports every service.
const warrenModule = "cmd/warren"

func readRepository(root string) (*repository, error) {
	r := &repository{}
	for _, pattern := range workspacePatterns {
		files, err := filepath.Glob(filepath.Join(root, pattern, "go.mod"))
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			if err := r.addModule(root, name); err != nil {
				return nil, err
			}
		}
	}
	if r.warren == nil {
		return nil, fmt.Errorf("no module %s below %s", warrenModule, root)
	}
	slices.Sort(r.modules)
	return r, nil
}

func (r *repository) addModule(root, name string) error {
	folder, err := filepath.Rel(root, filepath.Dir(name))
	if err != nil {
		return err
	}
	folder = filepath.ToSlash(folder)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(name, text, nil)
	if err != nil {
		return err
	}
	if mod.Module == nil || mod.Go == nil {
		return fmt.Errorf("%s needs a module line and a go line", name)
	}
	r.modules = append(r.modules, folder)
	if semver.Compare("v"+mod.Go.Version, "v"+r.goVersion) > 0 {
		r.goVersion = mod.Go.Version
	}
	switch {
	case folder == warrenModule:
		r.warren = mod
	case path.Dir(folder) == "services":
		s := service{name: path.Base(folder), module: mod.Module.Mod.Path}
		if err := s.check(root); err != nil {
			return err
		}
		r.services = append(r.services, s)
	}
	return nil
}

// namePattern has no dot: a queue's name is the service's name, a dot, and the method.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// check reports what would make the service fail later, and less clearly.
func (s service) check(root string) error {
	folder := "services/" + s.name
	if !namePattern.MatchString(s.name) {
		return fmt.Errorf("%s: a service's name consists of lower-case words and hyphens", folder)
	}
	if !strings.HasSuffix(s.module, "/"+folder) {
		return fmt.Errorf("%s/go.mod names the module %s, want a path that ends with %s", folder, s.module, folder)
	}
	program := folder + "/cmd/" + s.name
	if _, err := os.Stat(filepath.Join(root, program)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no %s, its main package", folder, program)
	} else if err != nil {
		return err
	}
	return nil
}
