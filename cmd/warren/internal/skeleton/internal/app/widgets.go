// Package app holds the use cases of the service, and the port to their storage.
package app

import (
	"context"
	"errors"
	"time"

	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
)

// ErrKeyReused reports that a key was used for other content.
var ErrKeyReused = errors.New("idempotency key was used for another request")

// WidgetStore stores widgets. It is safe for concurrent use. Package storetest tests its implementations.
type WidgetStore interface {
	// Create stores and returns created. If its owner has used key before, it returns what was stored then.
	Create(ctx context.Context, created domain.Widget, key string) (domain.Widget, error)
	// Get returns domain.ErrNotFound for an unknown ID.
	Get(ctx context.Context, id string) (domain.Widget, error)
	// List returns up to limit widgets of the owner, highest ID first, those below the ID before unless that is empty.
	List(ctx context.Context, ownerID, before string, limit int) ([]domain.Widget, error)
}

// Caller is the authenticated user who calls a use case.
type Caller struct{ ID string }

// Widgets provides the use cases: List, Get and Create.
type Widgets struct {
	store WidgetStore
	newID func() string
	now   func() time.Time
}

// NewWidgets returns the use cases over store. newID must return higher IDs than before.
func NewWidgets(store WidgetStore, newID func() string, now func() time.Time) *Widgets {
	return &Widgets{store: store, newID: newID, now: now}
}

// List returns a page of the caller's widgets, newest first, and the cursor of the next page, which is empty after the last
// page. The cursor of the first page is empty.
func (s *Widgets) List(ctx context.Context, caller Caller, cursor string, limit int) (page []domain.Widget, next string, err error) {
	page, err = s.store.List(ctx, caller.ID, cursor, limit+1) // one more tells whether there is a next page
	if err != nil || len(page) <= limit {
		return page, "", err
	}
	return page[:limit], page[limit-1].ID, nil
}

// Get returns what the caller owns, or domain.ErrNotFound.
func (s *Widgets) Get(ctx context.Context, caller Caller, id string) (domain.Widget, error) {
	found, err := s.store.Get(ctx, id)
	if err == nil && found.OwnerID != caller.ID {
		err = domain.ErrNotFound
	}
	if err != nil {
		return domain.Widget{}, err
	}
	return found, nil
}

// Create returns what it created, for a key that the caller has used before what it created then. It returns a
// *domain.InvalidError if the name breaks a rule, and ErrKeyReused if the key was used for another name.
func (s *Widgets) Create(ctx context.Context, caller Caller, key, name string) (domain.Widget, error) {
	now := s.now().UTC().Truncate(time.Microsecond) // stores keep no more
	created, err := domain.NewWidget(s.newID(), caller.ID, name, now)
	if err != nil {
		return domain.Widget{}, err
	}
	stored, err := s.store.Create(ctx, created, key)
	if err == nil && stored.Name != name {
		err = ErrKeyReused
	}
	return stored, err
}
