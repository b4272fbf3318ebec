// Package domain holds who may call, what a token says of them, and the rules of both.
package domain

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxUsernameBytes bounds a username. Usernames are ASCII, so it is also their number of characters.
const MaxUsernameBytes = 64

// User is someone who can log in.
type User struct {
	ID           string // never changes; the subject of their tokens
	Username     string
	PasswordHash string
	Scopes       []string // what they may do, e.g. "orders:read"; sorted, each once
	CreatedAt    time.Time
}

// NewUser returns a user, or ErrInvalidUser with what is wrong.
func NewUser(id, username, passwordHash string, scopes []string, createdAt time.Time) (User, error) {
	if id == "" || passwordHash == "" {
		return User{}, fmt.Errorf("%w: id and password hash are required", ErrInvalidUser)
	}
	if err := ValidateUsername(username); err != nil {
		return User{}, err
	}
	for _, scope := range scopes {
		if err := validateScope(scope); err != nil {
			return User{}, err
		}
	}
	sorted := slices.Sorted(slices.Values(scopes))
	return User{
		ID:           id,
		Username:     username,
		PasswordHash: passwordHash,
		Scopes:       slices.Compact(sorted),
		CreatedAt:    createdAt,
	}, nil
}

// ValidateUsername reports, as ErrInvalidUser, why nobody can have this name. Letters are ASCII alone: names that look
// alike and differ are how people get impersonated.
func ValidateUsername(username string) error {
	if username == "" || len(username) > MaxUsernameBytes {
		return fmt.Errorf("%w: a username has 1 to %d characters", ErrInvalidUser, MaxUsernameBytes)
	}
	if strings.ContainsFunc(username, func(r rune) bool { return !isUsernameRune(r) }) {
		return fmt.Errorf("%w: a username has letters, digits and any of . _ @ + - only", ErrInvalidUser)
	}
	return nil
}

func isUsernameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._@+-", r)
}

// validateScope holds a scope to the characters of RFC 6749, section 3.3, because tokens carry scopes in one string,
// with spaces between them.
func validateScope(scope string) error {
	invalid := func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }
	if scope == "" || strings.ContainsFunc(scope, invalid) {
		return fmt.Errorf("%w: scope %q", ErrInvalidUser, scope)
	}
	return nil
}
