// Package app holds the use cases of the service, and the port to their storage.
package app

import (
	"context"
	"time"

	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
)

// Caller is the authenticated user who calls a use case.
type Caller struct{ ID string }

// Store stores widgets. It is safe for concurrent use. Package storetest has its contract as tests.
type Store interface {
	// Create stores created and returns it. If its owner has used key before, Create returns what it stored then.
	Create(ctx context.Context, created domain.Widget, key string) (domain.Widget, error)
	// Get returns domain.ErrNotFound if the owner has none with the ID.
	Get(ctx context.Context, ownerID, id string) (domain.Widget, error)
	// List returns the owner's widgets from the highest ID down, at most limit. If before is set, it starts below
	// that ID.
	List(ctx context.Context, ownerID, before string, limit int) ([]domain.Widget, error)
}

// Widgets provides the use cases: List, Get and Create.
type Widgets struct {
	store Store
	newID func() string
	now   func() time.Time
}

// NewWidgets returns the use cases over store. Each ID of newID must be higher than those before.
func NewWidgets(store Store, newID func() string, now func() time.Time) *Widgets {
	return &Widgets{store: store, newID: newID, now: now}
}

// List returns a page of what the caller owns, newest first, and the cursor of the next page. Both cursors are empty at the
// ends of the list.
func (s *Widgets) List(
	ctx context.Context, caller Caller, cursor string, limit int,
) (page []domain.Widget, next string, err error) {
	found, err := s.store.List(ctx, caller.ID, cursor, limit+1) // one more tells whether there is a next page
	if err != nil || len(found) <= limit {
		return found, "", err
	}
	return found[:limit], found[limit-1].ID, nil
}

// Get returns what the caller owns, or domain.ErrNotFound.
func (s *Widgets) Get(ctx context.Context, caller Caller, id string) (domain.Widget, error) {
	return s.store.Get(ctx, caller.ID, id)
}

// Create returns what it created, which is for a key that the caller has used before what it created then.
func (s *Widgets) Create(
	ctx context.Context, caller Caller, key, name string,
) (domain.Widget, error) {
	now := s.now().UTC().Truncate(time.Microsecond) // stores keep no more
	created, err := domain.NewWidget(s.newID(), caller.ID, name, now)
	if err != nil {
		return domain.Widget{}, err
	}
	return s.store.Create(ctx, created, key)
}
