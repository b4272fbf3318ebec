package app_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
)

var alice, bob = app.Caller{ID: "alice"}, app.Caller{ID: "bob"}

// newUseCases numbers what it creates from 1.
func newUseCases() *app.Widgets {
	last := 0
	return app.NewWidgets(new(fakeStore), func() string { last++; return fmt.Sprint(last) }, time.Now)
}

func TestCreateAndGet(t *testing.T) {
	useCases := newUseCases()
	created, err := useCases.Create(t.Context(), alice, "key", "name")
	if err != nil || created.ID != "1" || created.OwnerID != "alice" || created.Name != "name" {
		t.Errorf("create: %+v, %v", created, err)
	}
	if got, err := useCases.Get(t.Context(), alice, "1"); err != nil || got != created {
		t.Errorf("get: %+v, %v; want %+v", got, err, created)
	}
	if _, err := useCases.Get(t.Context(), bob, "1"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("get as another user: %v, want ErrNotFound", err)
	}
	if _, err := useCases.Create(t.Context(), alice, "key", "other"); !errors.Is(err, app.ErrKeyReused) {
		t.Errorf("create with a used key: %v, want ErrKeyReused", err)
	}
}

func TestList(t *testing.T) {
	useCases := newUseCases()
	for _, key := range []string{"a", "b", "c"} {
		if _, err := useCases.Create(t.Context(), alice, key, "name"); err != nil {
			t.Fatal(err)
		}
	}
	for cursor, want := range map[string]struct {
		length int
		next   string
	}{"": {2, "2"}, "2": {1, ""}, "3": {2, ""}} {
		page, next, err := useCases.List(t.Context(), alice, cursor, 2)
		if err != nil || len(page) != want.length || next != want.next {
			t.Errorf("page after %q: %v, next %q, %v; want %+v", cursor, page, next, err, want)
		}
	}
}
