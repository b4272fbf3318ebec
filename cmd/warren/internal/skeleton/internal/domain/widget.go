// Package domain holds widgets and their rules. It does no I/O and imports only the standard library.
package domain

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

const maxNameLength = 100 // characters

var (
	// ErrNotFound reports that an ID is unknown, or that the caller may not know of it.
	ErrNotFound = errors.New("widget not found")
	// ErrNameLength reports that a name is too short or too long.
	ErrNameLength = fmt.Errorf("must have 1 to %d characters", maxNameLength)
)

// Widget belongs to the user who created it.
type Widget struct {
	ID        string
	OwnerID   string
	Name      string
	CreatedAt time.Time
}

// NewWidget checks the rules.
func NewWidget(id, ownerID, name string, now time.Time) (Widget, error) {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxNameLength {
		return Widget{}, ErrNameLength
	}
	return Widget{ID: id, OwnerID: ownerID, Name: name, CreatedAt: now}, nil
}
