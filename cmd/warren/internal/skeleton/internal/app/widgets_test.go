package app_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
	"example.com/warren/cmd/warren/internal/skeleton/internal/storetest"
)

// fakeStore implements app.Store in memory, by owner and key.
type fakeStore map[[2]string]domain.Widget

func (s fakeStore) Create(
	_ context.Context, created domain.Widget, key string,
) (domain.Widget, error) {
	if stored, used := s[[2]string{created.OwnerID, key}]; used {
		return stored, nil
	}
	s[[2]string{created.OwnerID, key}] = created
	return created, nil
}

func (s fakeStore) Get(_ context.Context, ownerID, id string) (domain.Widget, error) {
	for _, each := range s {
		if each.OwnerID == ownerID && each.ID == id {
			return each, nil
		}
	}
	return domain.Widget{}, domain.ErrNotFound
}

func (s fakeStore) List(_ context.Context, ownerID, before string, limit int) ([]domain.Widget, error) {
	list := slices.SortedFunc(maps.Values(s), func(a, b domain.Widget) int { return strings.Compare(b.ID, a.ID) })
	list = slices.DeleteFunc(list, func(each domain.Widget) bool {
		return each.OwnerID != ownerID || before != "" && each.ID >= before
	})
	return list[:min(limit, len(list))], nil
}

func TestFakeStore(t *testing.T) { storetest.Run(t, fakeStore{}) }

func TestUseCases(t *testing.T) {
	last := 0
	newID := func() string { last++; return fmt.Sprint(last) }
	useCases := app.NewWidgets(fakeStore{}, newID, time.Now)
	alice := app.Caller{ID: "alice"}
	for _, key := range []string{"a", "b", "c"} {
		if _, err := useCases.Create(t.Context(), alice, key, "name"); err != nil {
			t.Fatal(err)
		}
	}
	for cursor, want := range map[string]string{"": "2", "2": "", "3": ""} {
		if page, next, err := useCases.List(t.Context(), alice, cursor, 2); err != nil || next != want {
			t.Errorf("page after %q: %v, %v; next %q, want %q", cursor, page, err, next, want)
		}
	}
}
