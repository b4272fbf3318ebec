package jwt

import (
	"crypto/sha256"

	"github.com/jellydator/ttlcache/v3"
)

// maxVerifiedTokens bounds verifiedTokens. Beyond it, the least recently used token is forgotten.
const maxVerifiedTokens = 10_000

// verifiedTokens caches the claims of tokens with a valid signature, because verifying it takes longer than the rest of
// a check. A signature stays valid: keys are read at start only. The caller must check what changes with time, above
// all the expiry. The cache holds hashes of tokens, not the tokens.
type verifiedTokens struct {
	cache *ttlcache.Cache[[sha256.Size]byte, claims]
}

func newVerifiedTokens() *verifiedTokens {
	return &verifiedTokens{ttlcache.New(ttlcache.WithCapacity[[sha256.Size]byte, claims](maxVerifiedTokens))}
}

func (v *verifiedTokens) get(token string) (claims, bool) {
	item := v.cache.Get(sha256.Sum256([]byte(token)))
	if item == nil {
		return claims{}, false
	}
	return item.Value(), true
}

func (v *verifiedTokens) add(token string, c claims) {
	v.cache.Set(sha256.Sum256([]byte(token)), c, ttlcache.NoTTL)
}
