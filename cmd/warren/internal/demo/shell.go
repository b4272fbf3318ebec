package demo

import (
	"net/http"
	"strings"

	"example.com/warren/cmd/warren/internal/shellword"
	"example.com/warren/pkg/service"
)

// commandLine returns a shell command that runs args with env, a list of NAME=value, added to the environment.
func commandLine(env, args []string) string {
	words := []string{}
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		words = append(words, name+"="+shellword.Quote(value))
	}
	for _, arg := range args {
		words = append(words, shellword.Quote(arg))
	}
	return strings.Join(words, " ")
}

// curlCommand returns the command that sends an example's request. It breaks lines at 78 columns, which leaves space for
// " \" or " &".
func curlCommand(e service.Example) string {
	words := []string{`curl -iw '\n'`}
	if e.Method != http.MethodGet && (e.Method != http.MethodPost || e.Body == "") { // curl's own choice
		words = append(words, "-X "+e.Method)
	}
	words = append(words, "$URL"+shellword.Quote(e.Path))
	if !e.Anonymous {
		words = append(words, `-H "Authorization: Bearer $TOKEN"`)
	}
	if e.Body != "" {
		words = append(words, "-H 'Content-Type: application/json'")
	}
	for _, header := range e.Headers {
		words = append(words, "-H "+shellword.Quote(header))
	}
	if e.Body != "" {
		words = append(words, "-d "+shellword.Quote(e.Body))
	}
	command, width := words[0], len("  "+words[0])
	for _, word := range words[1:] {
		if width += len(" " + word); width > 78 {
			command, width = command+" \\\n   ", len("    "+word)
		}
		command += " " + word
	}
	return command
}
