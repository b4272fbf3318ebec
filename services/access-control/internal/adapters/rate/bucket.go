package rate

import (
	"time"

	"github.com/jellydator/ttlcache/v3"
	"golang.org/x/time/rate"
)

// bucket holds a token for each attempt that may fail.
type bucket struct {
	tokens  *rate.Limiter
	pending int // attempts that have not ended; each reserves a token
}

// wait returns the time until there is an unreserved token, or 0. The token comes earlier if pending attempts succeed.
func (b *bucket) wait(now time.Time) time.Duration {
	missing := float64(b.pending+1) - b.tokens.TokensAt(now)
	return max(time.Duration(missing/float64(b.tokens.Limit())*float64(time.Second)), 0)
}

// end takes the reserved token if the attempt failed, and releases it otherwise.
func (b *bucket) end(now time.Time, failed bool) {
	b.pending--
	if failed {
		b.tokens.ReserveN(now, 1)
	}
}

// buckets holds the buckets in use. A bucket that was not used for a window is full, like a new one, and forgotten.
type buckets[K comparable] struct {
	failures int        // size of a bucket; 0: unlimited
	refill   rate.Limit // tokens per second
	cache    *ttlcache.Cache[K, *bucket]
}

func newBuckets[K comparable](failures int, config Config) *buckets[K] {
	return &buckets[K]{
		failures: failures,
		refill:   rate.Limit(float64(failures) / config.Window.Seconds()),
		cache: ttlcache.New(
			ttlcache.WithTTL[K, *bucket](config.Window), // since the last use
			ttlcache.WithCapacity[K, *bucket](uint64(max(config.LimiterSize, 1))),
		),
	}
}

// get returns the bucket of key, which may be new.
func (b *buckets[K]) get(key K) *bucket {
	if b.failures == 0 {
		return unlimited()
	}
	b.cache.DeleteExpired()
	item, _ := b.cache.GetOrSetFunc(key, func() *bucket { return &bucket{tokens: rate.NewLimiter(b.refill, b.failures)} })
	return item.Value()
}

func unlimited() *bucket { return &bucket{tokens: rate.NewLimiter(rate.Inf, 0)} }
