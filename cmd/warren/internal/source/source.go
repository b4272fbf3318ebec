// Package source edits Go files of a checkout by position. What an edit does not concern stays as it is, byte for byte.
package source

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"

	"example.com/warren/cmd/warren/internal/change"
)

// read returns a file and its syntax tree. The file must be formatted: then formatting it after an edit changes nothing that
// the edit does not concern.
func read(tree *change.Tree, name string) (text string, set *token.FileSet, syntax *ast.File, err error) {
	content, err := tree.Read(name)
	if err != nil {
		return "", nil, nil, err
	}
	set = token.NewFileSet()
	syntax, err = parser.ParseFile(set, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "", nil, nil, err
	}
	if formatted, err := format.Source(content); err != nil || !bytes.Equal(content, formatted) {
		return "", nil, nil, change.Refuse("%s is not formatted: run make tidy", name)
	}
	return string(content), set, syntax, nil
}

// write formats an edited file and writes it. An edit may shift the columns of the lines beside it, and leave two blank lines.
func write(tree *change.Tree, name, edited string) error {
	text, err := format.Source([]byte(edited))
	if err != nil {
		return fmt.Errorf("edit %s: %w", name, err)
	}
	return tree.Write(name, text)
}
