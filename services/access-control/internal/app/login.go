package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// AccessToken is what a login gives.
type AccessToken struct {
	Token    string
	Lifetime time.Duration
}

// Login gives a token for a username and a password.
type Login struct {
	users     UserStore
	passwords PasswordVerifier
	tokens    TokenSigner
	lifetime  time.Duration
	now       func() time.Time
}

// NewLogin returns the use case; its tokens last for lifetime.
func NewLogin(
	users UserStore, passwords PasswordVerifier, tokens TokenSigner, lifetime time.Duration, now func() time.Time,
) *Login {
	return &Login{users: users, passwords: passwords, tokens: tokens, lifetime: lifetime, now: now}
}

// Execute returns a new token, or domain.ErrInvalidCredentials, after the same work whether the user exists or not.
func (l *Login) Execute(ctx context.Context, username, password string) (AccessToken, error) {
	user, err := l.users.UserByName(ctx, username)
	if err != nil && !errors.Is(err, domain.ErrUserNotFound) {
		return AccessToken{}, fmt.Errorf("log in: %w", err)
	}
	// An unknown user has the empty hash, which is checked like any other.
	if err := l.passwords.Verify(user.PasswordHash, password); err != nil {
		return AccessToken{}, fmt.Errorf("log in: %w", err)
	}
	token, err := l.tokens.Sign(domain.NewClaims(rand.Text(), user, l.now(), l.lifetime))
	if err != nil {
		return AccessToken{}, fmt.Errorf("log in: %w", err)
	}
	return AccessToken{Token: token, Lifetime: l.lifetime}, nil
}
