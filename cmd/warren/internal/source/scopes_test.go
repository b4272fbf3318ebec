package source

import (
	"strings"
	"testing"
)

// users returns demo.go with two users' scopes.
func users(demo, admin string) string {
	return `package accesscontrol

// demoUsers have fixed IDs.
var demoUsers = []app.Registration{
	{
		Username: "demo",
		Demo:     true,
		` + demo + `,
	},
	{
		Username: "admin",
		Demo:     true,
		` + admin + `,
	},
}
`
}

// TestScopes: removing takes back what was added.
func TestScopes(t *testing.T) {
	const admin = `Scopes:   []string{"orders:all"}`
	wide := strings.Repeat("a", 70)
	for name, test := range map[string]struct{ before, after string }{
		"one line": {`Scopes:   []string{"orders:read"}`, `Scopes:   []string{"orders:read", "a:read", "a:write"}`},
		"none":     {`Scopes:   []string{}`, `Scopes:   []string{"a:read", "a:write"}`},
		"line each": {
			"Scopes: []string{\n\t\t\t\"b:c\", // why\n\t\t}",
			"Scopes: []string{\n\t\t\t\"b:c\", // why\n\t\t\t\"a:read\",\n\t\t\t\"a:write\",\n\t\t}",
		},
		"long lines": {`Scopes:   []string{"` + wide + `:read"}`, `Scopes: []string{"` + wide + `:read", "a:read",` + "\n\t\t\t\"a:write\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t, demoFile, users(test.before, admin))
			for range 2 {
				if err := AddScopes(tree, "a:read", "a:write"); err != nil {
					t.Fatal(err)
				}
				checkText(t, tree, demoFile, users(test.after, admin))
			}
			if err := RemoveScopes(tree, "a"); err != nil {
				t.Fatal(err)
			}
			checkText(t, tree, demoFile, users(test.before, admin))
		})
	}
}

// TestRemoveScopes: all users lose them, in whatever place they are.
func TestRemoveScopes(t *testing.T) {
	tree := newTree(t, demoFile, users(
		`Scopes:   []string{"orders:read", "b:c", "my-orders:read", "orders:write"}`,
		`Scopes:   []string{"orders:all", "b:c"}`,
	))
	if err := RemoveScopes(tree, "orders"); err != nil {
		t.Fatal(err)
	}
	checkText(t, tree, demoFile, users(`Scopes:   []string{"b:c", "my-orders:read"}`, `Scopes:   []string{"b:c"}`))
}

func TestScopesErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no user":       {"package accesscontrol\n", "demo.go: there is no user"},
		"computed list": {users("Scopes:   allScopes()", `Scopes:   []string{"a:b"}`), "demo.go: there is no user"},
		"no Go":         {"package", "demo.go:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			checkError(t, AddScopes(newTree(t, demoFile, test.text), "a:read"), test.want)
		})
	}
}
