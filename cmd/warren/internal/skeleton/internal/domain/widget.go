// Package domain holds widgets and their rules. It does no I/O and imports only the standard library.
package domain

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxNameLength is the maximum number of characters in a name.
const MaxNameLength = 100

// ErrNotFound reports that an ID is unknown, or that the caller may not know of it.
var ErrNotFound = errors.New("widget not found")

// InvalidError reports which field breaks a rule.
type InvalidError struct{ Field, Message string }

func (e *InvalidError) Error() string {
	return fmt.Sprintf("invalid widget: %s %s", e.Field, e.Message)
}

// Widget belongs to the user who created it.
type Widget struct {
	ID        string
	OwnerID   string
	Name      string
	CreatedAt time.Time
}

// NewWidget returns an *InvalidError if the name breaks a rule.
func NewWidget(id, ownerID, name string, now time.Time) (Widget, error) {
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxNameLength {
		return Widget{}, &InvalidError{Field: "name", Message: fmt.Sprintf("must have 1 to %d characters", MaxNameLength)}
	}
	return Widget{ID: id, OwnerID: ownerID, Name: name, CreatedAt: now}, nil
}
