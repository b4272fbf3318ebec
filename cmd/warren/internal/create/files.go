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

	"github.com/ettle/strcase"
	"golang.org/x/mod/modfile"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/skeleton"
)

// Files returns the files of a new service in tree, by name: those of the skeleton with other names in them, and a go.mod
// for go mod tidy to complete. It refuses names that clash with others in the service.
func Files(tree *change.Tree, n Names) (map[string][]byte, error) {
	names, identifiers, files := replacer(tree.Module, n), map[string]string{}, map[string][]byte{}
	err := fs.WalkDir(skeleton.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		source, err := skeleton.Files.ReadFile(name)
		if err != nil {
			return err
		}
		content := []byte(names.Replace(string(source)))
		folder, file := path.Split(names.Replace(name))
		if path.Ext(name) == ".go" {
			file = strings.ReplaceAll(file, "-", "") // and not "_": Go would build time_windows.go for Windows alone
			if err := checkNames(n, source, names, folder, identifiers); err != nil {
				return err
			}
			if content, err = format.Source(content); err != nil { // sorts the imports, too
				return fmt.Errorf("format the copy of %s: %w", name, err)
			}
		}
		files[path.Join("services", n.Service, folder, file)] = content
		return nil
	})
	if err != nil {
		return nil, err
	}
	files["services/"+n.Service+"/go.mod"], err = goMod(tree, n)
	return files, err
}

// skeletonPath is the import path of the skeleton.
var skeletonPath = reflect.TypeFor[skeleton.Config]().PkgPath()

// replacer replaces the names of the skeleton. Of the pairs that match at one place, it takes the first.
func replacer(module string, n Names) *strings.Replacer {
	goName, importPath := packageName(n.Service), module+"/services/"+n.Service
	imported := fmt.Sprintf("%q", importPath)
	if goName != n.Service {
		imported = goName + " " + imported
	}
	return strings.NewReplacer(
		`"`+skeletonPath+`"`, imported,
		skeletonPath, importPath,
		strings.TrimSuffix(skeletonPath, "cmd/warren/internal/skeleton"), module+"/",
		skeleton.New().AdminAddr, n.AdminAddr,

		"package skeleton", "package "+goName,
		"Package skeleton", "Package "+goName,
		"skeleton.New", goName+".New",
		"skeleton", n.Service,

		"Widgets", strcase.ToGoPascal(n.Plural),
		"Widget", strcase.ToGoPascal(n.Entity),
		"widgetOutput", strcase.ToGoCamel(n.Entity)+"Output",
		"/widgets", "/"+n.Plural, // paths
		"/widget", "/"+n.Entity,
		`"widgets"`, `"`+strcase.ToSnake(n.Plural)+`"`, // SQL and JSON
		"_widgets", "_"+strcase.ToSnake(n.Plural),
		"widgets_", strcase.ToSnake(n.Plural)+"_",
		"widgets", strings.ReplaceAll(n.Plural, "-", " "), // texts
		"widget", strings.ReplaceAll(n.Entity, "-", " "),
	)
}

// importName matches an import, and the last part of its path.
var importName = regexp.MustCompile(`(?m)^\t(?:\w+ )?"(?:[^"]*/)?(\w+)"$`)

// checkNames refuses a service that has the name of a package which source imports, and an entity for which two identifiers
// become one. used has the identifiers in the files before, by their folder and what they become.
func checkNames(n Names, source []byte, names *strings.Replacer, folder string, used map[string]string) error {
	for _, match := range importName.FindAllSubmatch(source, -1) {
		if string(match[1]) == packageName(n.Service) {
			return change.Refuse("no service can be called %s, which is the name of a package that it imports", n.Service)
		}
	}
	var tokens scanner.Scanner
	tokens.Init(token.NewFileSet().AddFile("", -1, len(source)), source, nil, 0)
	for kind, previous := token.ILLEGAL, token.ILLEGAL; kind != token.EOF; previous = kind {
		var identifier string
		if _, kind, identifier = tokens.Scan(); kind != token.IDENT || previous == token.PERIOD || previous == token.PACKAGE {
			continue
		}
		becomes := names.Replace(identifier)
		if other, ok := used[folder+becomes]; ok && other != identifier {
			return change.Refuse("entity %q with the plural %q: the service needs the identifier %s twice", n.Entity, n.Plural, becomes)
		}
		used[folder+becomes] = identifier
	}
	return nil
}

// goMod returns that of cmd/warren under another name. Its versions are those that the whole system uses.
func goMod(tree *change.Tree, n Names) ([]byte, error) {
	content, err := tree.Read("cmd/warren/go.mod")
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse("cmd/warren/go.mod", content, nil)
	if err != nil {
		return nil, err
	}
	services := tree.Module + "/services/"
	err = mod.AddModuleStmt(services + n.Service)
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
