package jwt

import (
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"example.com/warren/services/access-control/internal/domain"
)

// Signer is an app.TokenSigner.
type Signer struct {
	key              key
	issuer, audience string
}

// NewSigner returns a Signer of tokens by issuer, for audience.
func NewSigner(keys *KeyRing, issuer, audience string) *Signer {
	return &Signer{key: keys.signing, issuer: issuer, audience: audience}
}

// Sign implements app.TokenSigner.
func (s *Signer) Sign(c domain.Claims) (string, error) {
	token := jwt.NewWithClaims(s.key.method, newClaims(c, s.issuer, s.audience))
	token.Header["kid"] = s.key.id
	signed, err := token.SignedString(s.key.signing)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}
