package jwt

import (
	"crypto/ed25519"
	"fmt"
	"os"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/identitykeys"
	"example.com/warren/pkg/rpc/protocol"
)

// PublishIdentityKeys writes the public keys to a directory that the other services read. It makes the directory.
func (r *KeyRing) PublishIdentityKeys(directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // other users read public keys
		return err
	}
	for id, k := range r.byID {
		public, ok := k.private.Public().(ed25519.PublicKey)
		if !ok {
			continue
		}
		if err := identitykeys.Publish(directory, id, public); err != nil {
			return err
		}
	}
	return nil
}

// signIdentity returns the assertion that other services accept in place of the token.
func (r *KeyRing) signIdentity(c claims) (string, error) {
	domain := c.domain()
	assertion, err := protocol.SignIdentity(&rpc.Identity{
		Subject:   domain.Subject,
		Username:  domain.Username,
		Scopes:    domain.Scopes,
		TokenID:   domain.TokenID,
		ExpiresAt: domain.ExpiresAt,
	}, r.identity.id, r.identity.private)
	if err != nil {
		return "", fmt.Errorf("token %s: %w", domain.TokenID, err)
	}
	return assertion, nil
}
