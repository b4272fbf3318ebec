package jwt

import (
	"crypto/sha256"

	"github.com/jellydator/ttlcache/v3"
)

// maxVerifiedTokens bounds a verifiedTokens: the one unused for longest goes first.
const maxVerifiedTokens = 10_000

// verifiedTokens remembers the claims of tokens whose signature was good: to verify one takes longer than all the rest of
// a check, and a token comes again and again. It stays good, because the keys are read at start only. What may change
// with time, above all the expiry, is for the caller to check. No token is held, only its fingerprint.
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
