package rename

import (
	"bytes"
	"fmt"
	"go/format"
	"go/scanner"
	"go/token"
	"path"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/origin"
)

// values finds the lower-case name where it is a value of the system: the compose project, defaults in Go and in the reference of
// settings, and the realm of tokens. Elsewhere it is the tool's.
const values = "(?m)(^name: |^COMPOSE_PROJECT_NAME=|default:\"|realm=\"|^\\| `[A-Z_]+` \\| `)%s(-demo$|$|\"|`)"

// names are what a system is called.
type names struct {
	module, name, title string

	texts, values *regexp.Regexp // find the first and the last two
}

func newNames(module, name string) names {
	n := names{module: module, name: name, title: title(name)}
	// A match that has one of the optional characters is another path, or part of one.
	n.texts = regexp.MustCompile(`[.~-]?\b` + regexp.QuoteMeta(module) + `\b[~-]?|/?\b` + n.title + `\b/?`)
	n.values = regexp.MustCompile(fmt.Sprintf(values, name))
	return n
}

// replace returns the text of a file with the names of to.
func (n names) replace(file string, text []byte, to names) ([]byte, error) {
	switch {
	case file == "CHANGELOG.md":
		lines := bytes.SplitAfter(text, []byte("\n"))
		for i, line := range lines {
			if !bytes.HasPrefix(line, []byte("## ")) {
				lines[i] = n.replaceText(line, to)
			}
		}
		return bytes.Join(lines, nil), nil
	case path.Base(file) == "go.mod":
		return n.replaceModFile(file, text, to)
	case n.isIdentifier(file, text):
		to.name, to.title = n.name, n.title
	}
	renamed := n.replaceText(text, to)
	if path.Ext(file) == ".go" && !bytes.Equal(renamed, text) {
		if formatted, err := format.Source(renamed); err == nil {
			return formatted, nil // with the imports sorted
		}
	}
	return renamed, nil
}

// keeps reports whether a file stays as it is.
func keeps(file string, text []byte) bool {
	return file == "LICENSE" || file == origin.File || bytes.IndexByte(text, 0) >= 0
}

func (n names) replaceText(text []byte, to names) []byte {
	if !n.areIn(text) {
		return text
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for i, line := range lines {
		if !n.areIn(line) {
			continue
		}
		line = n.texts.ReplaceAllFunc(line, func(found []byte) []byte {
			switch string(found) {
			case n.module:
				return []byte(to.module)
			case n.title:
				return []byte(to.title)
			}
			return found
		})
		lines[i] = n.values.ReplaceAll(line, []byte("${1}"+to.name+"${2}"))
	}
	return bytes.Join(lines, nil)
}

// areIn reports whether a text has one of the names, which is much faster than the regular expressions.
func (n names) areIn(text []byte) bool {
	return bytes.Contains(text, []byte(n.module)) || bytes.Contains(text, []byte(n.title)) || bytes.Contains(text, []byte(n.name))
}

// firstUse returns the first line of a file that replace would change, or 0.
func (n names) firstUse(file string, text []byte) int {
	if n.isIdentifier(file, text) {
		return 0
	}
	without := n.replaceText(text, names{module: n.module})
	for i := range text {
		if i == len(without) || without[i] != text[i] {
			return 1 + bytes.Count(text[:i], []byte("\n"))
		}
	}
	return 0
}

// isIdentifier reports whether a file is Go code that has the title as an identifier. Then the texts in it are about that.
func (n names) isIdentifier(file string, code []byte) bool {
	if path.Ext(file) != ".go" || !bytes.Contains(code, []byte(n.title)) {
		return false
	}
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(code)), code, nil, 0)
	for {
		switch _, kind, text := s.Scan(); {
		case kind == token.EOF:
			return false
		case text == n.title:
			return true
		}
	}
}

// replaceModFile keeps the blocks of a go.mod file sorted, as go mod tidy does.
func (n names) replaceModFile(file string, text []byte, to names) ([]byte, error) {
	mod, err := modfile.Parse(file, text, nil)
	if err != nil {
		return nil, err
	}
	for _, require := range mod.Require {
		other, with := require.Mod.Path+"/", to.module+"/"
		if !strings.HasPrefix(other, n.module+"/") && (strings.HasPrefix(other, with) || strings.HasPrefix(with, other)) {
			return nil, change.Refuse("%s requires %s, which is not part of the system: choose another module path", file, require.Mod.Path)
		}
	}
	if mod, err = modfile.Parse(file, n.replaceText(text, to), nil); err != nil {
		return nil, err
	}
	mod.SortBlocks()
	return mod.Format()
}
