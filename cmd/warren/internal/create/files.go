package create

import (
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/ettle/strcase"
	"golang.org/x/mod/modfile"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/skeleton"
)

// Files returns the files of a new service in tree, by name: those of the skeleton with other names in them, and a go.mod
// without the indirect requirements. It refuses names that clash with others in these files.
func Files(tree *change.Tree, n Names) (map[string][]byte, error) {
	c := copier{names: n, module: tree.Module, imports: map[string]bool{}, words: map[string]string{}}
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
	files["services/"+n.Service+"/go.mod"], err = c.goMod(tree)
	return files, err
}

// copier copies the files of the skeleton.
type copier struct {
	names   Names
	module  string            // what module paths begin with
	imports map[string]bool   // the import paths in the copies
	words   map[string]string // what the words in the copies are in the skeleton, by scope and word
	clash   string            // a word in the copies that is two words in the skeleton
}

// path returns the name of a file's copy. Go would build time_windows.go for Windows alone, so that has no underscore.
func (c *copier) path(name string) string {
	as := snake
	if path.Ext(name) == ".go" {
		as = joined
	}
	folder, file := path.Split(name)
	return path.Join("services", c.names.Service, c.spell(folder, text, ""), c.spell(file, as, ""))
}

func (c *copier) copy(name string, content []byte) ([]byte, error) {
	var err error
	if path.Ext(name) == ".go" {
		content, err = format.Source([]byte(c.copySource(name, content))) // sorts the imports, too
	} else {
		content = []byte(c.spell(string(content), snake, name))
	}
	if err == nil && path.Ext(name) == ".go" {
		err = c.addImports(content)
	}
	if err == nil && c.clash != "" {
		err = change.Refuse("entity %q with the plural %q: %s would be two things in %s", c.names.Entity, c.names.Plural, c.clash, c.path(name))
	}
	return content, err
}

// copySource replaces the names in the tokens of a Go file.
func (c *copier) copySource(name string, content []byte) string {
	file := token.NewFileSet().AddFile(name, -1, len(content))
	var tokens scanner.Scanner
	tokens.Init(file, content, nil, scanner.ScanComments)
	var out strings.Builder
	end := 0 // of the last token that was replaced
	for previous := token.ILLEGAL; ; {
		pos, kind, literal := tokens.Scan()
		switch kind {
		case token.EOF:
			return out.String() + string(content[end:])
		case token.IDENT, token.STRING, token.COMMENT:
			start := file.Offset(pos)
			out.Write(content[end:start])
			out.WriteString(c.copyToken(name, previous, kind, literal))
			end = start + len(literal)
		}
		previous = kind
	}
}

func (c *copier) copyToken(name string, previous, kind token.Token, literal string) string {
	switch {
	case kind == token.IDENT && (previous == token.PACKAGE || previous == token.PERIOD): // not in the package's scope
		return c.spell(literal, identifier, "")
	case kind == token.IDENT:
		return c.spell(literal, identifier, path.Dir(name))
	case kind == token.COMMENT:
		return c.spell(literal, text, "")
	case literal[0] == '`':
		return c.spell(literal, snake, name)
	}
	s := strings.Trim(literal, `"`)
	if s == skeletonAddr {
		return strconv.Quote(c.names.AdminAddr)
	}
	if below, ok := strings.CutPrefix(s, skeletonPath); ok {
		imported := strconv.Quote(c.module + "/services/" + c.names.Service + below)
		if below == "" && packageName(c.names.Service) != c.names.Service {
			return packageName(c.names.Service) + " " + imported
		}
		return imported
	}
	if below, ok := strings.CutPrefix(s, skeletonModule); ok {
		return strconv.Quote(c.module + below)
	}
	return c.spell(literal, text, "")
}

var (
	skeletonAddr   = skeleton.New().AdminAddr
	skeletonPath   = reflect.TypeFor[skeleton.Config]().PkgPath()
	skeletonModule = strings.TrimSuffix(skeletonPath, "/cmd/warren/internal/skeleton")
)

// style is how the words of a name are written.
type style int

const (
	text       style = iota // line item, but line-item next to a hyphen or slash
	identifier              // LineItem or lineItem
	snake                   // line_item
	joined                  // lineitem
)

var (
	word  = regexp.MustCompile(`[A-Za-z0-9_]+`)
	names = regexp.MustCompile(`skeleton|[Ww]idgets?`)
)

// spell replaces the names in s. If there is a scope, its words must remain different from each other.
func (c *copier) spell(s string, as style, scope string) string {
	var out strings.Builder
	end := 0
	for _, at := range word.FindAllStringIndex(s, -1) {
		before, found, after := s[:at[0]], s[at[0]:at[1]], s[at[1]:]
		hyphens := as == text && (strings.HasSuffix(before, "/") || strings.HasSuffix(before, "-") || strings.HasPrefix(after, "-"))
		as := as
		if strings.HasSuffix(before, "Package ") {
			as = identifier
		}
		replaced := names.ReplaceAllStringFunc(found, func(name string) string {
			return c.names.replacement(name, found, as, hyphens)
		})
		if scope != "" {
			key := scope + ":" + replaced
			if was, ok := c.words[key]; ok && was != found {
				c.clash = replaced
			}
			c.words[key] = found
		}
		out.WriteString(s[end:at[0]] + replaced)
		end = at[1]
	}
	return out.String() + s[end:]
}

// replacement returns what replaces name, which is a part of the word found.
func (n Names) replacement(name, found string, as style, hyphens bool) string {
	by := map[string]string{"skeleton": n.Service, "widget": n.Entity, "widgets": n.Plural}[strings.ToLower(name)]
	switch {
	case name == "skeleton" && as == identifier, as == joined:
		return packageName(by)
	case name == "skeleton" || hyphens:
		return by
	case name[0] == 'W':
		return strcase.ToGoPascal(by)
	case as == snake || strings.Contains(found, "_"):
		return strcase.ToSnake(by)
	case name != found || as == identifier:
		return strcase.ToGoCamel(by)
	default:
		return strings.ReplaceAll(by, "-", " ")
	}
}

// addImports adds the imports of a file to c.imports. It refuses a service that has the name of an imported package.
func (c *copier) addImports(source []byte) error {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, spec := range file.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		c.imports[imported] = true
		if name := packageName(c.names.Service); path.Base(imported) == name && imported != c.module+"/services/"+c.names.Service {
			return change.Refuse("service %q: the name is taken by the package %s", c.names.Service, imported)
		}
	}
	return nil
}

// goMod returns a go.mod with the modules that are imported, in the versions of cmd/warren.
func (c *copier) goMod(tree *change.Tree) ([]byte, error) {
	content, err := tree.Read("cmd/warren/go.mod")
	if err != nil {
		return nil, err
	}
	warren, err := modfile.Parse("cmd/warren/go.mod", content, nil)
	if err != nil {
		return nil, err
	}
	mod := new(modfile.File)
	if err := mod.AddModuleStmt(c.module + "/services/" + c.names.Service); err != nil {
		return nil, err
	}
	if err := mod.AddGoStmt(warren.Go.Version); err != nil {
		return nil, err
	}
	for _, r := range warren.Require {
		for imported := range c.imports {
			if strings.HasPrefix(imported+"/", r.Mod.Path+"/") {
				if err := mod.AddRequire(r.Mod.Path, r.Mod.Version); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := mod.AddReplace(c.module+"/pkg", "", "../../pkg", ""); err != nil {
		return nil, err
	}
	mod.SortBlocks()
	return mod.Format()
}
