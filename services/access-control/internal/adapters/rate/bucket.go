package rate

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/jellydator/ttlcache/v3"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"example.com/warren/services/access-control/internal/domain"
)

// bucket limits the attempts of one user or of one client address.
type bucket struct {
	places              *semaphore.Weighted // of the attempts in progress
	turns               *semaphore.Weighted // of those that are checked, or wait for other turns
	allPlaces, allTurns int64
	attempts            *rate.Limiter
	failures            *rate.Limiter

	used   atomic.Bool // an attempt was counted
	forget func()
}

// check returns an error if an attempt must not begin now.
func (b *bucket) check(now time.Time) error {
	if wait := max(untilToken(b.attempts, now), untilToken(b.failures, now)); wait > 0 {
		return &domain.TooManyLoginsError{RetryAfter: wait}
	}
	return nil
}

// hasTokensForAll reports whether there is a token for every turn, whatever the outcome of the attempts that have one.
func (b *bucket) hasTokensForAll(now time.Time) bool {
	return min(b.attempts.TokensAt(now), b.failures.TokensAt(now)) >= float64(b.allTurns)
}

func untilToken(tokens *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - tokens.TokensAt(now)
	return time.Duration(missing / float64(tokens.Limit()) * float64(time.Second))
}

// count takes the tokens of an attempt that has ended.
func (b *bucket) count(now time.Time, failed bool) {
	b.used.Store(true)
	b.attempts.ReserveN(now, 1)
	if failed {
		b.failures.ReserveN(now, 1)
	}
}

// discard forgets the bucket if its last attempt has left and none was counted. Otherwise attempts without a check, which cost
// nothing, would evict the buckets of others. The places are not released: an attempt that has just found the bucket must fail.
func (b *bucket) discard() {
	if !b.used.Load() && b.places.TryAcquire(b.allPlaces) {
		b.forget()
	}
}

// buckets holds the buckets in use. A bucket that was not used for a window is full, like a new one, and forgotten.
type buckets[K comparable] struct {
	attempts, failures int // per window; 0: unlimited
	places, turns      int64
	window             time.Duration
	cache              *ttlcache.Cache[K, *bucket]
}

func newBuckets[K comparable](attempts, failures int, places, turns int64, config Config) *buckets[K] {
	return &buckets[K]{
		attempts: attempts,
		failures: failures,
		places:   places,
		turns:    max(turns, 1),
		window:   config.Window,
		cache: ttlcache.New(
			ttlcache.WithTTL[K, *bucket](config.Window), // since the last use
			ttlcache.WithCapacity[K, *bucket](uint64(max(config.LimiterSize, 1))),
		),
	}
}

// limited reports whether there is any limit.
func (b *buckets[K]) limited() bool { return b.attempts > 0 || b.failures > 0 }

// get returns the bucket of key, which may be new.
func (b *buckets[K]) get(key K) *bucket {
	b.cache.DeleteExpired()
	item, _ := b.cache.GetOrSetFunc(key, func() *bucket {
		created := &bucket{
			places:    semaphore.NewWeighted(b.places),
			turns:     semaphore.NewWeighted(b.turns),
			allPlaces: b.places,
			allTurns:  b.turns,
			attempts:  b.limiter(b.attempts),
			failures:  b.limiter(b.failures),
		}
		created.forget = func() {
			// The bucket may have been evicted, and another one have taken its place.
			if item := b.cache.Get(key); item != nil && item.Value() == created {
				b.cache.Delete(key)
			}
		}
		return created
	})
	return item.Value()
}

// limiter returns a full limiter of n events per window.
func (b *buckets[K]) limiter(n int) *rate.Limiter {
	if n == 0 {
		return rate.NewLimiter(rate.Inf, math.MaxInt32)
	}
	return rate.NewLimiter(rate.Limit(float64(n)/b.window.Seconds()), n)
}
