package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestExitStatus(t *testing.T) {
	for args, want := range map[string]int{
		"services": 0,
		"call a.b --broker-url=amqp://127.0.0.1:1":   exitFailure,
		"dead list a.b --demo=no-such-socket":        exitFailure,
		"dead list a.b --limit=0":                    exitUsage, // refused by the command
		"dead drop a.b":                              exitUsage,
		"rename no-module-path":                      exitUsage,
		"bogus":                                      exitUsage, // refused by kong
		"call":                                       exitUsage,
		"call a.b --query=c":                         exitUsage,
		"call a.b --broker-url=http://127.0.0.1:1":   exitUsage,
		"doctor --broker-url=amqp://127.0.0.1:1 now": exitUsage,
		"completion ksh":                             exitUsage,
	} {
		if got := run(t.Context(), strings.Fields(args)); got != want {
			t.Errorf("warren %s: exit status %d, want %d", args, got, want)
		}
	}
}

// TestExamples: the help of each command shows how to call it.
func TestExamples(t *testing.T) {
	parser, err := kong.New(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		path := strings.TrimPrefix(leaf.Path(), parser.Model.Name+" ")
		if !strings.Contains(leaf.Detail, "warren "+path) {
			t.Errorf("no example in warren %s --help:\n%s", path, leaf.Detail)
		}
	}
}
