package app

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// AccessToken is the result of a login.
type AccessToken struct {
	Token    string
	Lifetime time.Duration
}

// Login returns a new token. address is the client's, or the zero Addr if it is unknown.
//
// Login returns domain.ErrInvalidCredentials after the same work for an unknown user as for a wrong password, and
// *domain.TooManyLoginsError without checking the password.
func (a *AccessControl) Login(
	ctx context.Context, username, password string, address netip.Addr,
) (token AccessToken, err error) {
	// Ask the limiter before the check: of concurrent guesses, no more than the limit may be checked.
	end, err := a.ports.Limiter.Begin(ctx, username, address)
	if err != nil {
		return AccessToken{}, err
	}
	defer func() { end(errors.Is(err, domain.ErrInvalidCredentials)) }()

	user, err := a.authenticate(ctx, username, password)
	if err != nil {
		return AccessToken{}, err
	}
	signed, err := a.ports.Tokens.Sign(domain.NewClaims(rand.Text(), user, a.ports.Now(), a.tokenLifetime))
	if err != nil {
		return AccessToken{}, err
	}
	a.renewHash(ctx, user, password)
	return AccessToken{Token: signed, Lifetime: a.tokenLifetime}, nil
}

// authenticate returns the user with this name and password.
func (a *AccessControl) authenticate(ctx context.Context, username, password string) (domain.User, error) {
	user, err := a.ports.Users.UserByName(ctx, username)
	if err != nil && !errors.Is(err, domain.ErrUserNotFound) {
		return domain.User{}, err
	}
	// An unknown user has the empty hash. Verify takes as long for it as for any other.
	if err := a.ports.Passwords.Verify(user.PasswordHash, password); err != nil {
		return domain.User{}, err
	}
	return user, nil
}

// renewHash replaces a hash that was made with other settings, because checking it takes a different time than
// checking an unknown user's password, which reveals that the user exists. A failure is logged only: the login
// succeeds, and the next one tries again.
func (a *AccessControl) renewHash(ctx context.Context, user domain.User, password string) {
	if !a.ports.Passwords.IsOutdated(user.PasswordHash) {
		return
	}
	hash, err := a.ports.Passwords.Hash(password)
	if err == nil {
		err = a.ports.Users.ReplacePasswordHash(ctx, user.ID, user.PasswordHash, hash)
	}
	if err != nil {
		a.ports.Logger.WarnContext(ctx, "renew password hash", "user_id", user.ID, "error", err)
	}
}
