// Package storetest tests implementations of app.WidgetStore.
package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
)

// Run tests the empty stores that newStore returns.
func Run(t *testing.T, newStore func(t *testing.T) app.WidgetStore) {
	t.Helper()
	t.Run("create and get", func(t *testing.T) { testCreateAndGet(t, newStore(t)) })
	t.Run("list", func(t *testing.T) { testList(t, newStore(t)) })
}

func newWidget(id, ownerID string) domain.Widget {
	return domain.Widget{ID: id, OwnerID: ownerID, Name: "é'", CreatedAt: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)}
}

func testCreateAndGet(t *testing.T, store app.WidgetStore) {
	for _, test := range []struct {
		name, id, ownerID, key string
		wantID                 string // of what Create returns
	}{
		{"the first", "1", "alice", "key", "1"},
		{"a used key", "2", "alice", "key", "1"},
		{"another key", "3", "alice", "Key", "3"},
		{"the key of another user", "4", "bob", "key", "4"},
	} {
		want := newWidget(test.wantID, test.ownerID)
		created, err := store.Create(t.Context(), newWidget(test.id, test.ownerID), test.key)
		if diff := cmp.Diff(want, created); err != nil || diff != "" {
			t.Errorf("create %s: %v %s", test.name, err, diff)
		}
		got, err := store.Get(t.Context(), test.wantID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("get %s: %v %s", test.name, err, diff)
		}
	}
	if _, err := store.Get(t.Context(), "2"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("get what was not stored: %v, want ErrNotFound", err)
	}
}

func testList(t *testing.T, store app.WidgetStore) {
	one, two, three, other := newWidget("1", "alice"), newWidget("2", "alice"), newWidget("3", "alice"), newWidget("4", "bob")
	for _, each := range []domain.Widget{one, three, other, two} {
		if _, err := store.Create(t.Context(), each, "key of "+each.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		ownerID, before string
		limit           int
		want            []domain.Widget
	}{
		{"alice", "", 4, []domain.Widget{three, two, one}},
		{"alice", "", 2, []domain.Widget{three, two}},
		{"alice", "3", 1, []domain.Widget{two}},
		{"bob", "", 4, []domain.Widget{other}},
	} {
		got, err := store.List(t.Context(), test.ownerID, test.before, test.limit)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("list %d of %s before %q: %v %s", test.limit, test.ownerID, test.before, err, diff)
		}
	}
}
