package jwt

import (
	"crypto/sha256"

	"github.com/jellydator/ttlcache/v3"
)

// maxVerifiedTokens bounds verifiedTokens. Beyond it, the least recently used token is forgotten.
const maxVerifiedTokens = 10_000

// verifiedTokens caches the claims of tokens with a valid signature, because verifying it takes longer than the rest of
// a check. The caller must check what changes with time: the expiry, and the keys. The cache holds hashes of tokens, not the
// tokens.
type verifiedTokens struct {
	cache *ttlcache.Cache[[sha256.Size]byte, verifiedToken]
}

type verifiedToken struct {
	claims      claims
	key         string // ID of the key that signed the token
	identityKey string // the same, of its assertion
}

func newVerifiedTokens() *verifiedTokens {
	return &verifiedTokens{ttlcache.New(ttlcache.WithCapacity[[sha256.Size]byte, verifiedToken](maxVerifiedTokens))}
}

func (v *verifiedTokens) get(token string) (verifiedToken, bool) {
	item := v.cache.Get(sha256.Sum256([]byte(token)))
	if item == nil {
		return verifiedToken{}, false
	}
	return item.Value(), true
}

func (v *verifiedTokens) add(token string, verified verifiedToken) {
	v.cache.Set(sha256.Sum256([]byte(token)), verified, ttlcache.NoTTL)
}
