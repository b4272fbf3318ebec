package jwt

import "fmt"

// KeyRing holds the keys that verify tokens, one of which signs them, and one of which signs identities.
type KeyRing struct {
	byID    map[string]key
	signing key
	// identity is the latest Ed25519 key: that is what other services verify identities with, see pkg/rpc/protocol.
	identity key
}

// LoadKeyRing reads the keys in the directory config.Keys. If there is none for config.Algorithm, or none of Ed25519, it makes
// the directory and a key; concurrent processes all get the same key. It fails if other users may read a key or write to the directory.
func LoadKeyRing(config Config) (*KeyRing, error) {
	if err := makeKeyDirectory(config.Keys); err != nil {
		return nil, err
	}
	keys, err := readKeyFiles(config.Keys)
	if err != nil {
		return nil, err
	}
	if ring, found := newKeyRing(keys, config.Algorithm); found {
		return ring, nil
	}
	for _, algorithm := range []Algorithm{config.Algorithm, EdDSA} {
		if err := makeKeyFile(config.Keys, algorithm); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
	}
	// Read the key even though this process made one: another process may have been first.
	if keys, err = readKeyFiles(config.Keys); err != nil {
		return nil, err
	}
	ring, found := newKeyRing(keys, config.Algorithm)
	if !found {
		return nil, fmt.Errorf("%s: no key of %s and %s", config.Keys, config.Algorithm, EdDSA)
	}
	return ring, nil
}

// newKeyRing reports whether one of keys can sign tokens with algorithm, and one can sign identities.
func newKeyRing(keys []key, algorithm Algorithm) (ring *KeyRing, found bool) {
	ring = &KeyRing{byID: make(map[string]key, len(keys))}
	for _, k := range keys {
		ring.byID[k.id] = k
		if k.method.Alg() == string(algorithm) && k.id > ring.signing.id {
			ring.signing = k
		}
		if k.method.Alg() == string(EdDSA) && k.id > ring.identity.id {
			ring.identity = k
		}
	}
	return ring, ring.signing.private != nil && ring.identity.private != nil
}

// SigningKeyID returns the kid of the tokens that are issued.
func (r *KeyRing) SigningKeyID() string { return r.signing.id }
