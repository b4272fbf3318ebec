package rate

import (
	"time"

	"github.com/jellydator/ttlcache/v3"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"example.com/warren/services/access-control/internal/domain"
)

// bucket limits the attempts of one user or of one client address. One attempt at a time has the turn, so that the outcome
// of each attempt is counted before the next one is admitted.
type bucket struct {
	places   *semaphore.Weighted // of the attempt that has the turn, and of those that wait for it
	turn     *semaphore.Weighted
	attempts *rate.Limiter
	failures *rate.Limiter
}

// check returns an error if an attempt must not begin now.
func (b *bucket) check(now time.Time) error {
	if wait := max(untilToken(b.attempts, now), untilToken(b.failures, now)); wait > 0 {
		return &domain.TooManyLoginsError{RetryAfter: wait}
	}
	return nil
}

func untilToken(tokens *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - tokens.TokensAt(now)
	return time.Duration(missing / float64(tokens.Limit()) * float64(time.Second))
}

// count takes the tokens of an attempt that has ended.
func (b *bucket) count(now time.Time, failed bool) {
	b.attempts.ReserveN(now, 1)
	if failed {
		b.failures.ReserveN(now, 1)
	}
}

// buckets holds the buckets in use. A bucket that was not used for a window is full, like a new one, and forgotten.
type buckets[K comparable] struct {
	attempts, failures int // per window; 0: unlimited
	places             int64
	window             time.Duration
	cache              *ttlcache.Cache[K, *bucket]
}

func newBuckets[K comparable](attempts, failures int, places int64, config Config) *buckets[K] {
	return &buckets[K]{
		attempts: attempts,
		failures: failures,
		places:   places,
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
		return &bucket{
			places:   semaphore.NewWeighted(b.places),
			turn:     semaphore.NewWeighted(1),
			attempts: b.limiter(b.attempts),
			failures: b.limiter(b.failures),
		}
	})
	return item.Value()
}

// limiter returns a full limiter of n events per window.
func (b *buckets[K]) limiter(n int) *rate.Limiter {
	if n == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(float64(n)/b.window.Seconds()), n)
}
