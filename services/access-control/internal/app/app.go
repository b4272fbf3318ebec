// Package app holds the use cases of access control, and the ports that they need.
package app

import (
	"context"

	"example.com/warren/services/access-control/internal/domain"
)

// UserStore keeps users.
type UserStore interface {
	// UserByName returns the user, or domain.ErrUserNotFound.
	UserByName(ctx context.Context, username string) (domain.User, error)
	// AddUser keeps a new user; domain.ErrUsernameTaken if the name is another's.
	AddUser(ctx context.Context, user domain.User) error
}

// RevocationStore remembers which tokens were revoked, for as long as they would be valid otherwise.
type RevocationStore interface {
	// Revoke keeps r. To revoke a token twice is not an error.
	Revoke(ctx context.Context, r domain.Revocation) error
	IsRevoked(ctx context.Context, tokenID string) (bool, error)
}

// PasswordHasher makes what is kept of a password.
type PasswordHasher interface {
	Hash(password string) (string, error)
}

// PasswordVerifier checks a password against what was kept of it.
type PasswordVerifier interface {
	// Verify returns nil or domain.ErrInvalidCredentials. No password matches the empty hash, which must take as long
	// to check as any other: time must not tell whether a user exists.
	Verify(hash, password string) error
}

// TokenSigner makes tokens.
type TokenSigner interface {
	Sign(claims domain.Claims) (string, error)
}

// TokenVerifier checks tokens.
type TokenVerifier interface {
	// Verify returns what the token says, or one of the domain's ErrToken… It knows nothing of revocations.
	Verify(token string) (domain.Claims, error)
}
