// Package domain holds users, tokens and their rules. It does no I/O and imports only the standard library.
package domain

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxUsernameBytes is the maximum length of a username. Usernames are ASCII: a character is a byte.
const MaxUsernameBytes = 64

// User is a person or program that can log in.
type User struct {
	ID           string // never changes; the subject of the user's tokens
	Username     string
	PasswordHash string
	Scopes       []string // e.g. "orders:read"; sorted, without duplicates
	CreatedAt    time.Time
}

// NewUser returns a user, or ErrInvalidUser.
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

// ValidateUsername returns ErrInvalidUser unless username may be used. Only ASCII is allowed, because an attacker can
// impersonate a user with a name that looks the same in Unicode.
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

// validateScope allows the characters of RFC 6749, section 3.3. Spaces separate the scopes in a token.
func validateScope(scope string) error {
	invalid := func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }
	if scope == "" || strings.ContainsFunc(scope, invalid) {
		return fmt.Errorf("%w: scope %q", ErrInvalidUser, scope)
	}
	return nil
}
