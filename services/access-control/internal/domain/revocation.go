package domain

import (
	"fmt"
	"time"
)

// MaxLeeway is the maximum difference between clocks that a check of a token's times allows.
const MaxLeeway = 30 * time.Second

// Revocation makes a token invalid before its expiry.
type Revocation struct {
	TokenID string
	Until   time.Time // from then on the token has expired with any leeway, and the revocation can be deleted
}

// NewRevocation returns the revocation of the token with this ID and expiry, or ErrTokenInvalid if either is missing.
func NewRevocation(tokenID string, expiresAt time.Time) (Revocation, error) {
	if tokenID == "" || expiresAt.IsZero() {
		return Revocation{}, fmt.Errorf("%w: no ID or no expiry", ErrTokenInvalid)
	}
	return Revocation{TokenID: tokenID, Until: expiresAt.Add(MaxLeeway)}, nil
}
