package create

import (
	"maps"
	"slices"
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
