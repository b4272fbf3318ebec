// Package app holds the use cases of access control, and the ports that they need.
package app

import (
	"context"
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

// ValidateToken returns the claims of a token, or a *domain.TokenError if it is not valid. Any other error says nothing
// about the token: callers must reject it too.
func (a *AccessControl) ValidateToken(ctx context.Context, token string) (domain.Claims, error) {
	claims, err := a.ports.Tokens.Verify(ctx, token)
	if err != nil {
		return domain.Claims{}, err
	}
	revoked, err := a.ports.Revocations.IsRevoked(ctx, claims.TokenID)
	if err != nil {
		return domain.Claims{}, err
	}
	if revoked {
		return domain.Claims{}, domain.ErrTokenRevoked
	}
	return claims, nil
}

// Logout revokes the token with this ID and expiry; the user's other tokens stay valid. It returns
// domain.ErrTokenInvalid if the ID or the expiry is missing.
func (a *AccessControl) Logout(ctx context.Context, tokenID string, expiresAt time.Time) error {
	revocation, err := domain.NewRevocation(tokenID, expiresAt)
	if err != nil {
		return err
	}
	return a.ports.Revocations.Revoke(ctx, revocation)
}
