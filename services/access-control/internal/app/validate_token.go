package app

import (
	"context"
	"fmt"

	"example.com/warren/services/access-control/internal/domain"
)

// ValidateToken says who a token belongs to.
type ValidateToken struct {
	tokens      TokenVerifier
	revocations RevocationStore
}

// NewValidateToken returns the use case.
func NewValidateToken(tokens TokenVerifier, revocations RevocationStore) *ValidateToken {
	return &ValidateToken{tokens: tokens, revocations: revocations}
}

// Execute returns what the token says. A token that must not be trusted is one of the domain's ErrToken…; with any
// other error it is not known whether the token is good.
func (v *ValidateToken) Execute(ctx context.Context, token string) (domain.Claims, error) {
	claims, err := v.tokens.Verify(token)
	if err != nil {
		return domain.Claims{}, fmt.Errorf("validate token: %w", err)
	}
	revoked, err := v.revocations.IsRevoked(ctx, claims.TokenID)
	if err != nil {
		return domain.Claims{}, fmt.Errorf("validate token: %w", err)
	}
	if revoked {
		return domain.Claims{}, fmt.Errorf("validate token: %w", domain.ErrTokenRevoked)
	}
	return claims, nil
}
