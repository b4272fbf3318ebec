package create

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// typeChecker checks the types of services, as the compiler does.
type typeChecker struct {
	files    *token.FileSet
	compiled types.Importer
}

// newTypeChecker needs what the skeleton imports to have been compiled, which it is for this test.
func newTypeChecker(t *testing.T) *typeChecker {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-test", "-f={{.ImportPath}}\t{{.Export}}"}
	build, _ := debug.ReadBuildInfo()
	if slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "../skeleton/...")...)
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(list)) {
		importPath, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[importPath] = file
	}
	c := &typeChecker{files: token.NewFileSet()}
	c.compiled = importer.ForCompiler(c.files, "gc", func(importPath string) (io.ReadCloser, error) { return os.Open(exports[importPath]) })
	return c
}

// checked are the packages of one service.
type checked struct {
	*typeChecker
	prefix   string
	sources  map[string][]*ast.File // by the folder of the package
	packages map[string]*types.Package
}

// Import implements types.Importer.
func (c *checked) Import(importPath string) (*types.Package, error) {
	sources, ours := c.sources[strings.TrimPrefix(importPath, c.prefix)]
	if !ours {
		return c.compiled.Import(importPath)
	}
	var err error
	if c.packages[importPath] == nil {
		c.packages[importPath], err = c.check(importPath, sources)
	}
	return c.packages[importPath], err
}

func (c *checked) check(importPath string, sources []*ast.File) (*types.Package, error) {
	return (&types.Config{Importer: c}).Check(importPath, c.files, sources, nil)
}

// check returns the first error in the packages and in their tests.
func (c *typeChecker) check(prefix string, files map[string][]byte) error {
	s := checked{c, prefix, map[string][]*ast.File{}, map[string]*types.Package{}}
	tests := map[string][]*ast.File{} // by folder and package
	for name, content := range files {
		if path.Ext(name) != ".go" {
			continue
		}
		file, err := parser.ParseFile(c.files, name, content, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := path.Dir(name)
		if strings.HasSuffix(name, "_test.go") {
			tests[folder+" "+file.Name.Name] = append(tests[folder+" "+file.Name.Name], file)
		} else {
			s.sources[folder] = append(s.sources[folder], file)
		}
	}
	for folder := range s.sources {
		if _, err := s.Import(prefix + folder); err != nil {
			return err
		}
	}
	for key, sources := range tests {
		folder, name, _ := strings.Cut(key, " ")
		if !strings.HasSuffix(name, "_test") {
			sources = append(sources, s.sources[folder]...)
		}
		if _, err := s.check(key, sources); err != nil {
			return err
		}
	}
	return nil
}
