package jwt

import "fmt"

// KeyRing holds the keys that verify tokens, one of which signs them.
type KeyRing struct {
	byID    map[string]key
	signing key
}

// LoadKeyRing reads the keys in the directory config.Keys. If there is none for config.Algorithm, it makes the directory
// and a key; concurrent processes all get the same key. It fails if other users may read a key or write to the directory.
func LoadKeyRing(config Config) (*KeyRing, error) {
	ring, err := loadKeyRing(config.Keys, config.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	return ring, nil
}

func loadKeyRing(directory string, algorithm Algorithm) (*KeyRing, error) {
	if err := makeKeyDirectory(directory); err != nil {
		return nil, err
	}
	keys, err := readKeyFiles(directory)
	if err != nil {
		return nil, err
	}
	if ring, found := newKeyRing(keys, algorithm); found {
		return ring, nil
	}
	if err := makeKeyFile(directory, algorithm); err != nil {
		return nil, err
	}
	// Read the file even though we wrote it: another process may have been first.
	if keys, err = readKeyFiles(directory); err != nil {
		return nil, err
	}
	ring, found := newKeyRing(keys, algorithm)
	if !found {
		return nil, fmt.Errorf("%s: no key of %s", directory, algorithm)
	}
	return ring, nil
}

// newKeyRing reports whether one of keys can sign with algorithm.
func newKeyRing(keys []key, algorithm Algorithm) (ring *KeyRing, found bool) {
	ring = &KeyRing{byID: make(map[string]key, len(keys))}
	for _, k := range keys {
		ring.byID[k.id] = k
		if k.algorithm() == algorithm && k.id > ring.signing.id {
			ring.signing = k
			found = true
		}
	}
	return ring, found
}

// SigningKeyID returns the kid of the tokens that are issued.
func (r *KeyRing) SigningKeyID() string { return r.signing.id }
