// Package ttlcache caches identities in memory.
package ttlcache

import (
	"errors"
	"time"

	"github.com/jellydator/ttlcache/v3"
	"github.com/prometheus/client_golang/prometheus"

	"example.com/warren/pkg/rpc"
)

// IdentityCache implements app.IdentityCache. When it is full, the least recently used entry is evicted.
type IdentityCache struct {
	cache *ttlcache.Cache[string, *rpc.Identity]
}

// NewIdentityCache returns a cache of at most size identities.
func NewIdentityCache(size int) *IdentityCache {
	return &IdentityCache{ttlcache.New(
		ttlcache.WithCapacity[string, *rpc.Identity](uint64(max(size, 1))),
		ttlcache.WithDisableTouchOnHit[string, *rpc.Identity](), // a hit must not prolong an entry's life
	)}
}

// Register adds the metrics of the cache to r.
func (c *IdentityCache) Register(r prometheus.Registerer) error {
	register := func(result string, count func(ttlcache.Metrics) uint64) error {
		return r.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "token_cache_lookups_total",
			Help:        "Tokens looked up in the cache of checked tokens, by the result: hit or miss.",
			ConstLabels: prometheus.Labels{"result": result},
		}, func() float64 { return float64(count(c.cache.Metrics())) }))
	}
	return errors.Join(
		register("hit", func(m ttlcache.Metrics) uint64 { return m.Hits }),
		register("miss", func(m ttlcache.Metrics) uint64 { return m.Misses }))
}

// Get returns the identity of key, or nil if there is none or its time is over.
func (c *IdentityCache) Get(key string) *rpc.Identity {
	item := c.cache.Get(key)
	if item == nil {
		return nil
	}
	return item.Value()
}

// Put keeps the identity for ttl.
func (c *IdentityCache) Put(key string, identity *rpc.Identity, ttl time.Duration) {
	c.cache.Set(key, identity, ttl)
}

// Delete drops the identity of key.
func (c *IdentityCache) Delete(key string) { c.cache.Delete(key) }
