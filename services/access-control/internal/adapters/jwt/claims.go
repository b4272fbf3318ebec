package jwt

import (
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"example.com/warren/services/access-control/internal/domain"
)

// claims is the payload of a token.
type claims struct {
	jwt.RegisteredClaims
	Username string `json:"username"`
	Scope    string `json:"scope"` // separated by spaces; RFC 8693, section 4.2

	assertion string // not part of the token; see domain.Claims
}

func newClaims(c domain.Claims, issuer, audience string) claims {
	return claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID:        c.TokenID,
			Issuer:    issuer,
			Audience:  jwt.ClaimStrings{audience},
			Subject:   c.Subject,
			IssuedAt:  jwt.NewNumericDate(c.IssuedAt),
			NotBefore: jwt.NewNumericDate(c.IssuedAt),
			ExpiresAt: jwt.NewNumericDate(c.ExpiresAt),
		},
		Username: c.Username,
		Scope:    strings.Join(c.Scopes, " "),
	}
}

// Validate requires the claims that the parser checks only if they are present. The parser calls it.
func (c claims) Validate() error {
	switch {
	case c.ID == "":
		return fmt.Errorf("%w: jti", jwt.ErrTokenRequiredClaimMissing)
	case c.Subject == "":
		return fmt.Errorf("%w: sub", jwt.ErrTokenRequiredClaimMissing)
	case c.IssuedAt == nil:
		return fmt.Errorf("%w: iat", jwt.ErrTokenRequiredClaimMissing)
	}
	return nil
}

func (c claims) domain() domain.Claims {
	return domain.Claims{
		TokenID:   c.ID,
		Subject:   c.Subject,
		Username:  c.Username,
		Scopes:    strings.Fields(c.Scope),
		IssuedAt:  c.IssuedAt.UTC(),
		ExpiresAt: c.ExpiresAt.UTC(),
		Assertion: c.assertion,
	}
}
