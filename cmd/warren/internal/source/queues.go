package source

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

var handlePattern = regexp.MustCompile(`\.Handle\((?:\w+,\s*)?"([^"]+)"`)

// Queues returns the methods of all services of a checkout, sorted.
func Queues(checkout fs.FS) []string {
	files, _ := fs.Glob(checkout, "services/*/internal/adapters/rpc/*.go") // the pattern is well-formed
	var queues []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, _ := fs.ReadFile(checkout, name) // a file that can't be read has no methods to complete
		for _, found := range handlePattern.FindAllStringSubmatch(string(text), -1) {
			queues = append(queues, found[1])
		}
	}
	slices.Sort(queues)
	return slices.Compact(queues)
}
