package domain

import (
	"fmt"
	"time"
)

// MaxLeeway bounds the difference between clocks that the check of a token's times may allow for.
const MaxLeeway = 30 * time.Second

// Revocation takes a token back before its time.
type Revocation struct {
	TokenID string
	Until   time.Time // from then on the token is refused as expired, whatever the leeway: this can be forgotten
}

// NewRevocation returns the revocation of the token with this id and expiry, or ErrTokenInvalid if one is missing.
func NewRevocation(tokenID string, expiresAt time.Time) (Revocation, error) {
	if tokenID == "" || expiresAt.IsZero() {
		return Revocation{}, fmt.Errorf("%w: no id or no expiry", ErrTokenInvalid)
	}
	return Revocation{TokenID: tokenID, Until: expiresAt.Add(MaxLeeway)}, nil
}
