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
	pending              *semaphore.Weighted // bounds the attempts in progress
	slots                *semaphore.Weighted // bounds those of them that are checked, or wait for another slot
	maxPending, maxSlots int64
	attempts             *rate.Limiter
	failures             *rate.Limiter

	used   atomic.Bool // an attempt was counted
	forget func()      // removes the bucket from the cache
}

// check returns an error if an attempt must not begin now.
func (b *bucket) check(now time.Time) error {
	if wait := max(untilToken(b.attempts, now), untilToken(b.failures, now)); wait > 0 {
		return &domain.TooManyLoginsError{RetryAfter: wait}
	}
	return nil
}

// hasTokensForAll reports whether there is a token for every slot: enough even if all attempts that hold one fail.
func (b *bucket) hasTokensForAll(now time.Time) bool {
	return min(b.attempts.TokensAt(now), b.failures.TokensAt(now)) >= float64(b.maxSlots)
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
// nothing, would evict the buckets of others. An attempt that has just found the discarded bucket is rejected.
func (b *bucket) discard() {
	if !b.used.Load() && b.pending.TryAcquire(b.maxPending) {
		b.forget()
	}
}

// buckets holds the buckets in use. A bucket that was not used for a window is full, like a new one, and forgotten.
type buckets[K comparable] struct {
	attempts, failures int // per window; 0: unlimited
	pending, slots     int64
	window             time.Duration
	cache              *ttlcache.Cache[K, *bucket]
}

func newBuckets[K comparable](attempts, failures int, pending, slots int64, config Config) *buckets[K] {
	return &buckets[K]{
		attempts: attempts,
		failures: failures,
		pending:  pending,
		slots:    max(slots, 1),
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
			pending:    semaphore.NewWeighted(b.pending),
			slots:      semaphore.NewWeighted(b.slots),
			maxPending: b.pending,
			maxSlots:   b.slots,
			attempts:   b.limiter(b.attempts),
			failures:   b.limiter(b.failures),
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
