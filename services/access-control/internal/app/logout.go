package app

import (
	"context"
	"fmt"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// Logout revokes the token that the caller came with. Their other tokens stay valid.
type Logout struct {
	revocations RevocationStore
}

// NewLogout returns the use case.
func NewLogout(revocations RevocationStore) *Logout {
	return &Logout{revocations: revocations}
}

// Execute revokes the token with this id and expiry; domain.ErrTokenInvalid if one of them is missing.
func (l *Logout) Execute(ctx context.Context, tokenID string, expiresAt time.Time) error {
	revocation, err := domain.NewRevocation(tokenID, expiresAt)
	if err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	if err := l.revocations.Revoke(ctx, revocation); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	return nil
}
