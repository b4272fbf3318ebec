// Package ttlcache keeps identities in memory.
package ttlcache

import (
	"time"

	"github.com/jellydator/ttlcache/v3"

	"example.com/warren/services/gateway/internal/domain"
)

// IdentityCache implements app.IdentityCache. It is bounded: the entry unused for longest goes first.
type IdentityCache struct {
	cache *ttlcache.Cache[string, domain.Identity]
}

// NewIdentityCache returns a cache of at most size identities.
func NewIdentityCache(size int) *IdentityCache {
	return &IdentityCache{ttlcache.New(
		ttlcache.WithCapacity[string, domain.Identity](uint64(max(size, 1))),
		ttlcache.WithDisableTouchOnHit[string, domain.Identity](), // being asked for makes no entry truer
	)}
}

// Get returns the identity of key, unless its time is up.
func (c *IdentityCache) Get(key string) (domain.Identity, bool) {
	item := c.cache.Get(key)
	if item == nil {
		return domain.Identity{}, false
	}
	return item.Value(), true
}

// Put keeps the identity for ttl.
func (c *IdentityCache) Put(key string, identity domain.Identity, ttl time.Duration) {
	c.cache.Set(key, identity, ttl)
}

// Delete forgets the identity of key.
func (c *IdentityCache) Delete(key string) { c.cache.Delete(key) }
