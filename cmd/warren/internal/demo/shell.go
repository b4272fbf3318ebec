package demo

import (
	"regexp"
	"strings"
)

var needsQuotes = regexp.MustCompile(`[^A-Za-z0-9_@%+=:,./-]`)

// quote returns s as one word of a POSIX shell.
func quote(s string) string {
	if s != "" && !needsQuotes.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// commandLine returns a shell command that runs args with env, a list of NAME=value, added to the environment.
func commandLine(env, args []string) string {
	words := []string{}
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		words = append(words, name+"="+quote(value))
	}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ")
}
