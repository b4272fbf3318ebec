package app

import (
	"context"
	"net/netip"

	"example.com/warren/services/access-control/internal/domain"
)

// UserStore keeps users.
type UserStore interface {
	// UserByName returns the user with this name, or domain.ErrUserNotFound.
	UserByName(ctx context.Context, username string) (domain.User, error)
	// AddUser stores a new user. It returns domain.ErrUsernameTaken if another user has the name.
	AddUser(ctx context.Context, user domain.User) error
	// ReplacePasswordHash replaces the user's hash if it still is current. It returns nil and changes nothing if a
	// concurrent call has replaced the hash already.
	ReplacePasswordHash(ctx context.Context, userID, current, replacement string) error
}

// RevocationStore keeps the revoked tokens until they would have expired.
type RevocationStore interface {
	// Revoke stores r. It is idempotent.
	Revoke(ctx context.Context, r domain.Revocation) error
	// IsRevoked reports whether the token with this ID was revoked.
	IsRevoked(ctx context.Context, tokenID string) (bool, error)
}

// PasswordHasher hashes passwords and checks passwords against their hashes.
type PasswordHasher interface {
	Hash(password string) (string, error)
	// Verify returns nil or domain.ErrInvalidCredentials. No password matches the empty hash, and checking it takes as
	// long as checking a hash that Hash made: the response time must not reveal whether a user exists.
	Verify(hash, password string) error
	// IsOutdated reports whether checking hash takes a different time than checking a hash that Hash makes.
	IsOutdated(hash string) bool
}

// LoginLimiter limits the logins per user and per client address, to stop brute-force attacks on passwords. It also limits the
// logins in progress, so that a busy user or address does not block the others.
type LoginLimiter interface {
	// Begin returns once the password may be checked, or returns a *domain.TooManyLoginsError. The user need not exist. The
	// zero Addr stands for an unknown address and has no limit.
	//
	// Call end exactly once with the outcome. Other attempts may wait for it.
	Begin(ctx context.Context, username string, address netip.Addr) (end func(failed bool), err error)
}

// Tokens issues and checks tokens.
type Tokens interface {
	Sign(claims domain.Claims) (string, error)
	// Verify returns the claims of token, or a *domain.TokenError. It does not check revocations.
	Verify(ctx context.Context, token string) (domain.Claims, error)
}
