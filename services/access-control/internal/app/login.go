package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// AccessToken is what a login gives.
type AccessToken struct {
	Token    string
	Lifetime time.Duration
}

// LoginOptions are the settings of Login.
type LoginOptions struct {
	Lifetime time.Duration // of tokens
	Now      func() time.Time
	Logger   *slog.Logger
}

// Login gives a token for a username and a password.
type Login struct {
	limiter   LoginLimiter
	users     UserStore
	passwords PasswordHasher
	tokens    TokenSigner
	options   LoginOptions
}

// NewLogin returns the use case.
func NewLogin(
	limiter LoginLimiter, users UserStore, passwords PasswordHasher, tokens TokenSigner, options LoginOptions,
) *Login {
	return &Login{limiter: limiter, users: users, passwords: passwords, tokens: tokens, options: options}
}

// Execute returns a new token for a login from address, which is the zero Addr if it is not known. Errors:
// domain.ErrInvalidCredentials, after the same work whether the user exists or not, and
// *domain.TooManyFailedLoginsError, after none.
func (l *Login) Execute(ctx context.Context, username, password string, address netip.Addr) (AccessToken, error) {
	user, err := l.authenticate(ctx, username, password, address)
	if err != nil {
		return AccessToken{}, fmt.Errorf("log in: %w", err)
	}
	token, err := l.tokens.Sign(domain.NewClaims(rand.Text(), user, l.options.Now(), l.options.Lifetime))
	if err != nil {
		return AccessToken{}, fmt.Errorf("log in: %w", err)
	}
	l.renewHash(ctx, user, password)
	return AccessToken{Token: token, Lifetime: l.options.Lifetime}, nil
}

// authenticate returns the user who has this name and this password.
func (l *Login) authenticate(
	ctx context.Context, username, password string, address netip.Addr,
) (user domain.User, err error) {
	// Before the check, not after it: of guesses made at once no more than the limit may be checked.
	end, err := l.limiter.Begin(username, address)
	if err != nil {
		return domain.User{}, err
	}
	defer func() { end(errors.Is(err, domain.ErrInvalidCredentials)) }()

	user, err = l.users.UserByName(ctx, username)
	if err != nil && !errors.Is(err, domain.ErrUserNotFound) {
		return domain.User{}, err
	}
	// An unknown user has the empty hash, which is checked like any other.
	if err := l.passwords.Verify(user.PasswordHash, password); err != nil {
		return domain.User{}, err
	}
	return user, nil
}

// renewHash replaces a hash that was made with other settings: to check it takes another time than to check an unknown
// user's, which tells that the user exists. The login does not fail if this does; the next one tries again.
func (l *Login) renewHash(ctx context.Context, user domain.User, password string) {
	if !l.passwords.IsOutdated(user.PasswordHash) {
		return
	}
	hash, err := l.passwords.Hash(password)
	if err == nil {
		err = l.users.ReplacePasswordHash(ctx, user.ID, user.PasswordHash, hash)
	}
	if err != nil {
		l.options.Logger.WarnContext(ctx, "renew password hash", "user_id", user.ID, "error", err)
	}
}
