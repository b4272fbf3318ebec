// Package storetest tests implementations of app.Store.
package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
)

func newWidget(id, ownerID string) domain.Widget {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	return domain.Widget{ID: id, OwnerID: ownerID, Name: "é'", CreatedAt: noon}
}

// Run tests a store that is empty.
func Run(t *testing.T, store app.Store) {
	t.Helper()
	one, two := newWidget("1", "alice"), newWidget("2", "alice")
	three, other := newWidget("3", "alice"), newWidget("4", "bob")

	for _, test := range []struct {
		created domain.Widget
		key     string
		want    domain.Widget
	}{{three, "a", three}, {one, "b", one}, {two, "c", two}, {other, "a", other}, {newWidget("5", "bob"), "a", other}} {
		got, err := store.Create(t.Context(), test.created, test.key)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("create %s with key %s: %v %s", test.created.ID, test.key, err, diff)
		}
	}

	got, err := store.Get(t.Context(), "alice", "1")
	if diff := cmp.Diff(one, got); err != nil || diff != "" {
		t.Errorf("get: %v %s", err, diff)
	}
	for id, owner := range map[string]string{"1": "bob", "5": "bob", "6": "alice"} {
		if _, err := store.Get(t.Context(), owner, id); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("get %s of %s: %v, want ErrNotFound", id, owner, err)
		}
	}

	for _, test := range []struct {
		owner, before string
		limit         int
		want          []domain.Widget
	}{
		{"alice", "", 4, []domain.Widget{three, two, one}},
		{"alice", "3", 1, []domain.Widget{two}},
		{"bob", "", 4, []domain.Widget{other}},
	} {
		got, err := store.List(t.Context(), test.owner, test.before, test.limit)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("list %d of %s before %q: %v %s", test.limit, test.owner, test.before, err, diff)
		}
	}
}
