package source

import (
	"fmt"
	"regexp"
	"strings"

	"example.com/warren/cmd/warren/internal/change"
)

const (
	demoFile = "services/access-control/demo.go"
	// maxScopes is the length at which a line of scopes is long enough.
	maxScopes = 80
)

var (
	demoScopes = regexp.MustCompile(`\bUsername:\s+"demo",[^{}]*\bScopes:\s+\[\]string\{([^{}]*)\}`)
	scopeList  = regexp.MustCompile(`\bScopes:\s+\[\]string\{[^{}]*\}`)
)

// AddScopes gives the user demo scopes that the user does not have.
func AddScopes(tree *change.Tree, scopes ...string) error {
	text, _, _, err := read(tree, demoFile)
	if err != nil {
		return err
	}
	match := demoScopes.FindStringSubmatchIndex(text)
	if match == nil {
		return fmt.Errorf(`%s: there is no user with Username: "demo" and Scopes: []string{…}`, demoFile)
	}
	list := strings.TrimRight(text[match[2]:match[3]], "\t\n")
	end := match[2] + len(list)
	braceHasLine := strings.Contains(text[end:match[3]], "\n")
	for _, scope := range scopes {
		quoted := fmt.Sprintf("%q", scope)
		switch {
		case strings.Contains(list, quoted):
			continue
		case list == "":
			list = quoted
		case braceHasLine:
			list += "\n" + quoted + ","
		case len(list)-strings.LastIndex(list, "\n") > maxScopes:
			list += ",\n" + quoted
		default:
			list += ", " + quoted
		}
	}
	return write(tree, demoFile, text[:match[2]]+list+text[end:])
}

// RemoveScopes takes the scopes of a service from all demo users.
func RemoveScopes(tree *change.Tree, service string) error {
	text, _, _, err := read(tree, demoFile)
	if err != nil {
		return err
	}
	scope := regexp.MustCompile(`\s*"` + regexp.QuoteMeta(service) + `:[^"]*",?`)
	return write(tree, demoFile, scopeList.ReplaceAllStringFunc(text, func(list string) string {
		return scope.ReplaceAllString(list, "")
	}))
}
