package domain

import (
	"slices"
	"time"
)

// Identity is who a valid token speaks for.
type Identity struct {
	Subject   string // the user's id
	Username  string
	Scopes    []string
	TokenID   string
	ExpiresAt time.Time
}

// HasScope reports whether the identity may do what scope stands for.
func (i Identity) HasScope(scope string) bool { return slices.Contains(i.Scopes, scope) }
