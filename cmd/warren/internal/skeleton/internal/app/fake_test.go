package app_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
	"example.com/warren/cmd/warren/internal/skeleton/internal/storetest"
)

func TestFakeStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) app.WidgetStore { return new(fakeStore) })
}

// fakeStore implements app.WidgetStore in memory, for one goroutine.
type fakeStore struct {
	stored []domain.Widget
	keys   []string // with their owners, in the order of stored
}

func (s *fakeStore) Create(_ context.Context, created domain.Widget, key string) (domain.Widget, error) {
	key = created.OwnerID + " " + key
	if i := slices.Index(s.keys, key); i >= 0 {
		return s.stored[i], nil
	}
	s.stored, s.keys = append(s.stored, created), append(s.keys, key)
	return created, nil
}

func (s *fakeStore) Get(_ context.Context, id string) (domain.Widget, error) {
	i := slices.IndexFunc(s.stored, func(each domain.Widget) bool { return each.ID == id })
	if i < 0 {
		return domain.Widget{}, domain.ErrNotFound
	}
	return s.stored[i], nil
}

func (s *fakeStore) List(_ context.Context, ownerID, before string, limit int) ([]domain.Widget, error) {
	list := slices.DeleteFunc(slices.Clone(s.stored), func(each domain.Widget) bool {
		return each.OwnerID != ownerID || before != "" && each.ID >= before
	})
	slices.SortFunc(list, func(a, b domain.Widget) int { return strings.Compare(b.ID, a.ID) })
	return list[:min(limit, len(list))], nil
}
