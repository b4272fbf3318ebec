package protocol

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReasonsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	const head = "| Reason | Status | Meaning |\n|---|---|---|\n"
	_, table, found := strings.Cut(string(page), head)
	if !found {
		t.Fatal("PROTOCOL.md has no table of reasons")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var want []string
	for _, r := range reasons {
		want = append(want, fmt.Sprintf("| `%s` | %d | %s |", r.reason, r.status, r.meaning))
	}
	if diff := cmp.Diff(want, strings.Split(table, "\n")); diff != "" {
		t.Errorf("-code +PROTOCOL.md:\n%s", diff)
	}
}
