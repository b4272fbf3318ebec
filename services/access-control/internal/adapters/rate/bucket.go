package rate

import (
	"time"

	"github.com/jellydator/ttlcache/v3"
	"golang.org/x/time/rate"
)

// bucket has a token for each attempt that may fail.
type bucket struct {
	tokens   *rate.Limiter
	checking int // attempts whose end is to come; each has a token set aside
}

// wait returns how long it takes until a token is free; 0: one is. If attempts end well, it is less.
func (b *bucket) wait(now time.Time) time.Duration {
	missing := float64(b.checking+1) - b.tokens.TokensAt(now)
	return max(time.Duration(missing/float64(b.tokens.Limit())*float64(time.Second)), 0)
}

func (b *bucket) begin() { b.checking++ }

// end takes the token that was set aside if the attempt failed.
func (b *bucket) end(now time.Time, failed bool) {
	b.checking--
	if failed {
		b.tokens.ReserveN(now, 1)
	}
}

// buckets are those in use. One that was left alone for a window is full, and forgotten: a new one is full too.
type buckets[K comparable] struct {
	failures int
	window   time.Duration
	cache    *ttlcache.Cache[K, *bucket]
}

func newBuckets[K comparable](failures int, window time.Duration, size int) *buckets[K] {
	return &buckets[K]{
		failures: failures,
		window:   window,
		cache: ttlcache.New(
			ttlcache.WithTTL[K, *bucket](window), // from the last use
			ttlcache.WithCapacity[K, *bucket](uint64(max(size, 1))),
		),
	}
}

// get returns the bucket of key, which may be a new one.
func (b *buckets[K]) get(key K) *bucket {
	if b.failures == 0 {
		return unlimited()
	}
	b.cache.DeleteExpired()
	item, _ := b.cache.GetOrSetFunc(key, b.full)
	return item.Value()
}

func (b *buckets[K]) full() *bucket {
	perSecond := float64(b.failures) / b.window.Seconds()
	return &bucket{tokens: rate.NewLimiter(rate.Limit(perSecond), b.failures)}
}

func unlimited() *bucket { return &bucket{tokens: rate.NewLimiter(rate.Inf, 0)} }
