package remove

import (
	"path"
	"regexp"
	"strings"

	"example.com/warren/cmd/warren/internal/change"
)

var (
	declaredTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	usedReason   = regexp.MustCompile(`\.WithReason\("([^"]+)"\)`)

	link      = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s#]+)(?:#[^)]*)?\)`)
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)\\w+)`")
	reasonRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|.*\n")
)

// correctDocuments makes plain text of what leads to a service's files: links, and the names of tests. It removes the rows of
// errors that no other service has. The files must still be there.
func correctDocuments(tree *change.Tree, service string) error {
	documents := map[string]string{}
	goes, stays := map[string]bool{}, map[string]bool{} // names of tests and errors
	err := readAll(tree, func(name, text string) {
		names := stays
		if isOf(service, name) {
			names = goes
		}
		switch {
		case path.Ext(name) == ".md":
			documents[name] = text
		case strings.HasSuffix(name, "_test.go"):
			for _, m := range declaredTest.FindAllStringSubmatch(text, -1) {
				names[m[1]] = true
			}
		case path.Ext(name) == ".go":
			for _, m := range usedReason.FindAllStringSubmatch(text, -1) {
				names[m[1]] = true
			}
		}
	})
	if err != nil {
		return err
	}
	for name, text := range documents {
		edited := replace(text, link, func(m []string) string {
			if isOf(service, path.Join(path.Dir(name), m[2])) {
				return m[1]
			}
			return m[0]
		})
		edited = replace(edited, namedTest, func(m []string) string {
			if goes[m[1]] && !stays[m[1]] {
				return m[1]
			}
			return m[0]
		})
		edited = replace(edited, reasonRow, func(m []string) string {
			if goes[m[1]] && !stays[m[1]] {
				return ""
			}
			return m[0]
		})
		if edited != text {
			if err := tree.Write(name, []byte(edited)); err != nil {
				return err
			}
		}
	}
	return nil
}

// replace replaces the matches of a pattern by what with makes of their groups.
func replace(text string, pattern *regexp.Regexp, with func(groups []string) string) string {
	return pattern.ReplaceAllStringFunc(text, func(match string) string { return with(pattern.FindStringSubmatch(match)) })
}
