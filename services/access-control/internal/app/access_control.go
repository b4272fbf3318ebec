// Package app holds the use cases of access control, and the ports that they need.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// Ports holds what the use cases need from the outside. Every field is required.
type Ports struct {
	Users       UserStore
	Revocations RevocationStore
	Passwords   PasswordHasher
	Limiter     LoginLimiter
	Tokens      Tokens
	Now         func() time.Time
	Logger      *slog.Logger
}

// AccessControl provides the use cases.
type AccessControl struct {
	ports         Ports
	tokenLifetime time.Duration
}

// NewAccessControl returns the use cases; tokens are valid for tokenLifetime.
func NewAccessControl(ports Ports, tokenLifetime time.Duration) *AccessControl {
	return &AccessControl{ports: ports, tokenLifetime: tokenLifetime}
}

// ValidateToken returns the claims of a token. It returns one of the domain's ErrToken… errors if the token is not
// valid; any other error says nothing about the token, which must not be trusted then.
func (a *AccessControl) ValidateToken(ctx context.Context, token string) (domain.Claims, error) {
	claims, err := a.ports.Tokens.Verify(token)
	if err != nil {
		return domain.Claims{}, fmt.Errorf("validate token: %w", err)
	}
	revoked, err := a.ports.Revocations.IsRevoked(ctx, claims.TokenID)
	if err != nil {
		return domain.Claims{}, fmt.Errorf("validate token: %w", err)
	}
	if revoked {
		return domain.Claims{}, fmt.Errorf("validate token: %w", domain.ErrTokenRevoked)
	}
	return claims, nil
}

// Logout revokes the token with this ID and expiry; the user's other tokens stay valid. It returns
// domain.ErrTokenInvalid if the ID or the expiry is missing.
func (a *AccessControl) Logout(ctx context.Context, tokenID string, expiresAt time.Time) error {
	revocation, err := domain.NewRevocation(tokenID, expiresAt)
	if err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	if err := a.ports.Revocations.Revoke(ctx, revocation); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	return nil
}
