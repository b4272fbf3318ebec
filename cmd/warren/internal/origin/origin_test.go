package origin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/change"
)

// TestTemplate reads the origin of a template to which a service was added before the first rename.
func TestTemplate(t *testing.T) {
	tree := &change.Tree{Root: t.TempDir(), Module: "example.com/shop"}
	for _, service := range []string{"access-control", "billing", "gateway", "orders"} {
		if err := tree.Write("services/"+service+"/go.mod", nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(tree)
	if err != nil {
		t.Fatal(err)
	}
	want := &Origin{Template: "example.com/shop", Module: "example.com/shop", Name: "warren", Services: []string{"billing"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
