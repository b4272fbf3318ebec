package create

import (
	"errors"
	"fmt"
	"go/format"
	"go/scanner"
	"go/token"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"strings"
	"unicode"

	"github.com/ettle/strcase"
	"golang.org/x/mod/modfile"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/skeleton"
)

// Files returns the files of a new service in tree, by name: those of the skeleton with other names in them, and a go.mod
// for go mod tidy to complete. It refuses an entity whose identifiers clash with others of the service.
func Files(tree *change.Tree, n Names) (map[string][]byte, error) {
	c := copier{names: n, module: tree.Module, identifiers: map[string]string{}}
	files := map[string][]byte{}
	err := fs.WalkDir(skeleton.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := skeleton.Files.ReadFile(name)
		if err != nil {
			return err
		}
		files[c.path(name)], err = c.copy(name, content)
		return err
	})
	if err != nil {
		return nil, err
	}
	files[c.path("go.mod")], err = c.goMod(tree)
	return files, err
}

// copier copies the files of the skeleton.
type copier struct {
	names       Names
	module      string            // what module paths begin with
	identifiers map[string]string // of the skeleton, by the package and the identifier in the copy
}

// path returns the name of a file's copy. Go files have no underscore there: time_windows.go would be for Windows alone.
func (c *copier) path(name string) string {
	folder, file := path.Split(c.spell(name))
	if path.Ext(file) == ".go" {
		file = strings.ReplaceAll(file, "-", "")
	}
	return path.Join("services", c.names.Service, folder, file)
}

func (c *copier) copy(name string, content []byte) ([]byte, error) {
	spelled := []byte(c.spell(string(content)))
	if path.Ext(name) != ".go" {
		return spelled, nil
	}
	for _, match := range imported.FindAllSubmatch(content, -1) {
		if string(match[1]) == packageName(c.names.Service) {
			return nil, change.Refuse("no service can be called %s, which is the name of a package that it imports", c.names.Service)
		}
	}
	if err := c.checkIdentifiers(path.Dir(name), content); err != nil {
		return nil, err
	}
	spelled, err := format.Source(spelled) // sorts the imports, too
	if err != nil {
		return nil, fmt.Errorf("format %s: %w", c.path(name), err)
	}
	return spelled, nil
}

// checkIdentifiers refuses an entity for which two identifiers of a package become one.
func (c *copier) checkIdentifiers(folder string, source []byte) error {
	var tokens scanner.Scanner
	tokens.Init(token.NewFileSet().AddFile("", -1, len(source)), source, nil, 0)
	for kind, previous := token.ILLEGAL, token.ILLEGAL; kind != token.EOF; previous = kind {
		var identifier string
		if _, kind, identifier = tokens.Scan(); kind != token.IDENT || previous == token.PERIOD || previous == token.PACKAGE {
			continue
		}
		spelled := c.spell(identifier)
		key := folder + ":" + spelled
		if other, ok := c.identifiers[key]; ok && other != identifier {
			return change.Refuse("entity %q with the plural %q: the service needs the identifier %s twice", c.names.Entity, c.names.Plural, spelled)
		}
		c.identifiers[key] = identifier
	}
	return nil
}

var (
	skeletonAddr   = skeleton.New().AdminAddr
	skeletonPath   = reflect.TypeFor[skeleton.Config]().PkgPath()
	skeletonModule = strings.TrimSuffix(skeletonPath, "cmd/warren/internal/skeleton")

	imported = regexp.MustCompile(`(?m)^\t(?:\w+ )?"(?:[^"]*/)?(\w+)"$`) // the last part of the path

	// replaced matches what differs in a copy. The first pattern that matches counts.
	replaced = regexp.MustCompile(strings.Join([]string{
		`"` + regexp.QuoteMeta(skeletonPath) + `"`, regexp.QuoteMeta(skeletonPath), regexp.QuoteMeta(skeletonModule),
		regexp.QuoteMeta(skeletonAddr), `skeleton`, `[Ww]idgets?`,
	}, "|"))
)

// spell replaces the names in s.
func (c *copier) spell(s string) string {
	var out strings.Builder
	end := 0
	for _, at := range replaced.FindAllStringIndex(s, -1) {
		out.WriteString(s[end:at[0]] + c.replacement(s[:at[0]], s[at[0]:at[1]], s[at[1]:]))
		end = at[1]
	}
	return out.String() + s[end:]
}

// replacement returns what replaces found between before and after.
func (c *copier) replacement(before, found, after string) string {
	importPath, goName := c.module+"/services/"+c.names.Service, packageName(c.names.Service)
	switch found {
	case skeletonModule:
		return c.module + "/"
	case skeletonPath:
		return importPath
	case `"` + skeletonPath + `"`:
		if goName != c.names.Service {
			return goName + ` "` + importPath + `"`
		}
		return `"` + importPath + `"`
	case skeletonAddr:
		return c.names.AdminAddr
	case "skeleton":
		if strings.HasSuffix(before, "ackage ") || strings.HasPrefix(after, ".New") {
			return goName
		}
		return c.names.Service
	case "Widget", "widget":
		return noun(before, found, after, c.names.Entity)
	default:
		return noun(before, found, after, c.names.Plural)
	}
}

// noun writes a name the way that found is written: LineItem and lineItem in identifiers, line-item in paths, line_item in
// SQL and JSON, line item in texts.
func noun(before, found, after, name string) string {
	switch {
	case found[0] == 'W':
		return strcase.ToGoPascal(name)
	case strings.HasSuffix(before, "/"):
		return name
	case strings.HasSuffix(before, "_") || strings.HasPrefix(after, "_") || strings.HasSuffix(before, `"`) && strings.HasPrefix(after, `"`):
		return strcase.ToSnake(name)
	case after != "" && unicode.IsUpper(rune(after[0])):
		return strcase.ToGoCamel(name)
	default:
		return strings.ReplaceAll(name, "-", " ")
	}
}

// goMod returns that of cmd/warren under another name. Its versions are those that the whole system uses.
func (c *copier) goMod(tree *change.Tree) ([]byte, error) {
	content, err := tree.Read("cmd/warren/go.mod")
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse("cmd/warren/go.mod", content, nil)
	if err != nil {
		return nil, err
	}
	services := c.module + "/services/"
	err = mod.AddModuleStmt(services + c.names.Service)
	for _, r := range mod.Replace {
		if strings.HasPrefix(r.Old.Path, services) {
			err = errors.Join(err, mod.DropRequire(r.Old.Path), mod.DropReplace(r.Old.Path, ""))
		}
	}
	if err != nil {
		return nil, err
	}
	mod.Cleanup()
	return mod.Format()
}
