// Package app holds the use cases of access control, and the ports that they need.
package app

import (
	"context"
	"net/netip"

	"example.com/warren/services/access-control/internal/domain"
)

// UserStore keeps users.
type UserStore interface {
	// UserByName returns the user, or domain.ErrUserNotFound.
	UserByName(ctx context.Context, username string) (domain.User, error)
	// AddUser keeps a new user; domain.ErrUsernameTaken if the name is another's.
	AddUser(ctx context.Context, user domain.User) error
	// ReplacePasswordHash replaces the hash of the user with this id if it still is current. If it is not, someone
	// else has replaced it, and it stays as it is; that is not an error.
	ReplacePasswordHash(ctx context.Context, userID, current, replacement string) error
}

// LoginLimiter bounds how many logins of a user, and from an address, may fail: it is what stops the guessing of
// passwords.
type LoginLimiter interface {
	// Begin lets an attempt in or returns a *domain.TooManyFailedLoginsError. The name may be nobody's. The address
	// is that of the client; the zero Addr, if it is not known, has no limit.
	//
	// An attempt that is let in counts as failed until end is called, which must be done once, and then if it failed.
	Begin(username string, address netip.Addr) (end func(failed bool), err error)
}

// RevocationStore remembers which tokens were revoked, for as long as they would be valid otherwise.
type RevocationStore interface {
	// Revoke keeps r. To revoke a token twice is not an error.
	Revoke(ctx context.Context, r domain.Revocation) error
	IsRevoked(ctx context.Context, tokenID string) (bool, error)
}

// PasswordHasher makes what is kept of a password, and checks passwords against it.
type PasswordHasher interface {
	Hash(password string) (string, error)
	// Verify returns nil or domain.ErrInvalidCredentials. No password matches the empty hash, which must take as long
	// to check as any that Hash makes: time must not tell whether a user exists.
	Verify(hash, password string) error
	// IsOutdated reports whether hash takes another time to check than those that Hash makes.
	IsOutdated(hash string) bool
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
