package create

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/change"
)

func openTree(t *testing.T) *change.Tree {
	t.Helper()
	tree, err := change.OpenTree("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestFiles(t *testing.T) {
	files, err := Files(openTree(t), Names{Service: "order-items", Entity: "line-item", Plural: "line-items", AdminAddr: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"services/order-items/cmd/order-items/main.go",
		"services/order-items/demo.go",
		"services/order-items/go.mod",
		"services/order-items/internal/adapters/rpc/rpc.go",
		"services/order-items/internal/adapters/sqlite/migrations/00001_create_line_items.sql",
		"services/order-items/internal/adapters/sqlite/store.go",
		"services/order-items/internal/adapters/sqlite/store_test.go",
		"services/order-items/internal/app/lineitems.go",
		"services/order-items/internal/app/lineitems_test.go",
		"services/order-items/internal/domain/lineitem.go",
		"services/order-items/internal/storetest/storetest.go",
		"services/order-items/orderitems.go",
		"services/order-items/orderitems_test.go",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Error(diff)
	}
}

// TestModule copies the skeleton in a system whose module path has its names.
func TestModule(t *testing.T) {
	tree := openTree(t)
	n := Names{Service: "widgets", Entity: "skeleton", Plural: "skeletons", AdminAddr: "127.0.0.1:1"}
	want, err := Files(tree, n)
	if err != nil {
		t.Fatal(err)
	}
	module := tree.Module
	tree.Module = "example.com/widgets/skeleton"
	got, err := Files(tree, n)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range want {
		if path.Ext(name) != ".go" {
			continue
		}
		if diff := cmp.Diff(strings.ReplaceAll(string(content), module, tree.Module), string(got[name])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
