package jwt

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"

	"example.com/warren/pkg/keyring"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/identitykeys"
	"example.com/warren/pkg/rpc/protocol"
)

// identityAlgorithm is what other services verify identities with; see pkg/rpc/protocol.
const identityAlgorithm = keyring.EdDSA

// OpenKeys returns the keys that sign tokens and identities. It writes the public keys of identities to a directory that the
// other services read, unless its name is empty.
func OpenKeys(config Config, identityKeys string, logger *slog.Logger) (*keyring.Ring, error) {
	return keyring.Open(keyring.Options{
		Directory:  config.Keys,
		Algorithms: []keyring.Algorithm{config.Algorithm, identityAlgorithm},
		Logger:     logger,
		Publish: func(keys []keyring.Key) error {
			if identityKeys == "" {
				return nil
			}
			return publish(identityKeys, keys)
		},
	})
}

func publish(directory string, keys []keyring.Key) error {
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // other users read public keys
		return err
	}
	for _, k := range keys {
		public, ok := k.Private.Public().(ed25519.PublicKey)
		if !ok {
			continue
		}
		if err := identitykeys.Publish(directory, k.ID, public); err != nil {
			return err
		}
	}
	return nil
}

// signIdentity returns the assertion that other services accept in place of the token.
func signIdentity(c claims, k keyring.Key) (string, error) {
	domain := c.domain()
	assertion, err := protocol.SignIdentity(&rpc.Identity{
		Subject:   domain.Subject,
		Username:  domain.Username,
		Scopes:    domain.Scopes,
		TokenID:   domain.TokenID,
		ExpiresAt: domain.ExpiresAt,
	}, k.ID, k.Private)
	if err != nil {
		return "", fmt.Errorf("token %s: %w", domain.TokenID, err)
	}
	return assertion, nil
}
