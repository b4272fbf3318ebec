package jwt

import (
	"fmt"
	"maps"
	"slices"
)

// KeyRing is the keys that verify, and which of them signs.
type KeyRing struct {
	byID    map[string]key
	signing key
}

// LoadKeyRing reads the keys in directory. If it has none of algorithm, one is made, and so is the directory; of
// several processes that do so at once, all end with the same key. It is an error if others may read a key file or
// write to the directory.
func LoadKeyRing(directory string, algorithm Algorithm) (*KeyRing, error) {
	ring, err := loadKeyRing(directory, algorithm)
	if err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	return ring, nil
}

func loadKeyRing(directory string, algorithm Algorithm) (*KeyRing, error) {
	if err := makeKeyDirectory(directory); err != nil {
		return nil, err
	}
	keys, err := readKeyFiles(directory, algorithm)
	if err != nil {
		return nil, err
	}
	if ring, found := newKeyRing(keys, algorithm); found {
		return ring, nil
	}
	if err := makeKeyFile(directory, algorithm); err != nil {
		return nil, err
	}
	// Read back: another process may have been first.
	if keys, err = readKeyFiles(directory, algorithm); err != nil {
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

// SigningKeyID returns the kid of new tokens.
func (r *KeyRing) SigningKeyID() string { return r.signing.id }

// algorithms returns what the tokens of these keys can be signed with.
func (r *KeyRing) algorithms() []string {
	set := map[string]bool{}
	for _, k := range r.byID {
		set[k.method.Alg()] = true
	}
	return slices.Sorted(maps.Keys(set))
}
