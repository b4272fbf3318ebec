package protocol

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var reasonRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([0-9]{3}) \\| .+ \\|$")

func TestReasonsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[int]string{}
	for _, row := range reasonRow.FindAllStringSubmatch(string(page), -1) {
		status, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		documented[status] = row[1]
	}
	if diff := cmp.Diff(reasons, documented); diff != "" {
		t.Errorf("-code +PROTOCOL.md:\n%s", diff)
	}
}
