// Package shellword quotes words of commands that users paste.
package shellword

import (
	"regexp"
	"strings"
)

var needsQuotes = regexp.MustCompile(`[^A-Za-z0-9_@%+=:,./-]`)

// Quote returns s as one word of a POSIX shell.
func Quote(s string) string {
	if s != "" && !needsQuotes.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
