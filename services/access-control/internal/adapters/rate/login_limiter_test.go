package rate

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/services/access-control/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const window = time.Minute

var (
	home    = netip.MustParseAddr("192.0.2.1")
	office  = netip.MustParseAddr("192.0.2.2")
	unknown netip.Addr
)

func newTestLimiter(perUser, perAddress int) *LoginLimiter {
	return NewLoginLimiter(Config{
		FailuresPerUser: perUser, FailuresPerAddress: perAddress, Window: window, LimiterSize: 100,
	}, time.Now)
}

// retryAfter makes a failing attempt. It returns 0, or the delay that a rejection asks for.
func retryAfter(t *testing.T, l *LoginLimiter, username string, address netip.Addr) time.Duration {
	t.Helper()
	end, err := l.Begin(username, address)
	if err == nil {
		end(true)
		return 0
	}
	rejected, ok := errors.AsType[*domain.TooManyFailedLoginsError](err)
	if !ok || rejected.RetryAfter <= 0 || end != nil {
		t.Fatalf("got %v", err)
	}
	return rejected.RetryAfter
}

// failUntilRejected returns how many attempts failed before one was rejected, or 100.
func failUntilRejected(t *testing.T, l *LoginLimiter, username string, address netip.Addr) int {
	t.Helper()
	for n := range 100 {
		if retryAfter(t, l, username, address) != 0 {
			return n
		}
	}
	return 100
}

func TestLimits(t *testing.T) {
	type attempts struct {
		username string
		address  netip.Addr
		want     int // how many may fail
	}
	addr := netip.MustParseAddr
	tests := []struct {
		name                string
		perUser, perAddress int
		attempts            []attempts
	}{
		{"each user", 3, 0, []attempts{{"ann", home, 3}, {"bob", home, 3}, {"ann", home, 0}}},
		{"a user from everywhere", 3, 10, []attempts{{"ann", home, 3}, {"ann", office, 0}, {"ann", unknown, 0}}},
		{"each address", 0, 3, []attempts{{"ann", home, 3}, {"bob", home, 0}, {"ann", office, 3}}},
		{"no address", 5, 3, []attempts{{"ann", unknown, 5}, {"bob", unknown, 5}}},
		{"rejected for the user, not counted", 3, 4, []attempts{{"ann", home, 3}, {"ann", home, 0}, {"bob", home, 1}}},
		{"rejected for the address, not counted", 3, 4, []attempts{
			{"ann", home, 3}, {"bob", home, 1}, {"bob", home, 0}, {"bob", office, 2},
		}},
		{"none", 0, 0, []attempts{{"ann", home, 100}, {"ann", unknown, 100}}},
		{"no user and no address", 3, 0, []attempts{{"", unknown, 3}}},
		{"names in another case", 3, 0, []attempts{{"ann", home, 3}, {"Ann", home, 3}}},
		{"IPv4 written as IPv6", 0, 3, []attempts{{"ann", home, 3}, {"ann", addr("::ffff:192.0.2.1"), 0}}},
		{"neighbours in IPv4", 0, 3, []attempts{{"ann", addr("192.0.2.1"), 3}, {"ann", addr("192.0.2.0"), 3}}},
		{"one network in IPv6", 0, 3, []attempts{
			{"ann", addr("2001:db8::1"), 3}, {"ann", addr("2001:db8::ffff:ffff:ffff:ffff"), 0}, {"ann", addr("2001:db8:0:1::1"), 3},
		}},
		{"a zone", 0, 3, []attempts{{"ann", addr("fe80::1%eth0"), 3}, {"ann", addr("fe80::2%eth1"), 0}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newTestLimiter(test.perUser, test.perAddress)
				for _, a := range test.attempts {
					if got := failUntilRejected(t, l, a.username, a.address); got != a.want {
						t.Errorf("%s from %s: %d attempts, want %d", a.username, a.address, got, a.want)
					}
				}
			})
		})
	}
}

// An empty bucket has a token again after the delay that a rejection asks for, no earlier, and is full after a window.
func TestRefill(t *testing.T) {
	for name, limit := range map[string]struct{ perUser, perAddress int }{"user": {4, 0}, "address": {0, 4}, "both": {4, 4}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newTestLimiter(limit.perUser, limit.perAddress)
				failUntilRejected(t, l, "ann", home)
				if got := retryAfter(t, l, "ann", home); got != window/4 {
					t.Errorf("retry after %s, want %s", got, window/4)
				}
				<-time.After(window/4 - time.Millisecond)
				if got := retryAfter(t, l, "ann", home); got <= 0 || got > time.Millisecond+time.Microsecond {
					t.Errorf("a millisecond before a token: retry after %s", got)
				}
				<-time.After(time.Millisecond)
				if got := failUntilRejected(t, l, "ann", home); got != 1 {
					t.Errorf("%d attempts, want 1", got)
				}
				<-time.After(window / 2)
				if got := failUntilRejected(t, l, "ann", home); got != 2 {
					t.Errorf("after half a window: %d attempts, want 2", got)
				}
				<-time.After(10 * window)
				if got := failUntilRejected(t, l, "ann", home); got != 4 {
					t.Errorf("after ten windows: %d attempts, want 4", got)
				}
			})
		})
	}
}

func TestOnlyFailuresCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLimiter(3, 5)
		succeed := func() {
			t.Helper()
			for range 20 {
				end, err := l.Begin("ann", home)
				if err != nil {
					t.Fatal(err)
				}
				end(false)
			}
		}
		succeed()
		retryAfter(t, l, "ann", home)
		succeed()
		if got := failUntilRejected(t, l, "ann", home); got != 2 {
			t.Errorf("%d attempts after a failure and successes, want 2: a success does not refill", got)
		}
		if got := failUntilRejected(t, l, "bob", home); got != 2 {
			t.Errorf("%d attempts of another user, want 2", got)
		}
	})
}

// Attempts count as failed until they end.
func TestAttemptsAtOnce(t *testing.T) {
	for name, limit := range map[string]struct{ perUser, perAddress int }{"user": {10, 50}, "address": {50, 10}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newTestLimiter(limit.perUser, limit.perAddress)
				const parallel = 200
				var (
					group sync.WaitGroup
					ends  = make(chan func(bool), parallel)
				)
				for range parallel {
					group.Go(func() {
						if end, err := l.Begin("ann", home); err == nil {
							ends <- end
						}
					})
				}
				group.Wait()
				if got := len(ends); got != 10 {
					t.Fatalf("%d attempts were admitted, want 10", got)
				}
				for i := range 10 { // 4 fail
					end := <-ends
					group.Go(func() { end(i < 4) })
				}
				group.Wait()
				if got := failUntilRejected(t, l, "ann", home); got != 6 {
					t.Errorf("%d attempts are left, want 6", got)
				}
			})
		})
	}
}

// Concurrent guesses never exceed the limit, whenever they start and end.
func TestParallelGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLimiter(10, 0)
		var (
			group   sync.WaitGroup
			guesses atomic.Int32
		)
		for range 50 {
			group.Go(func() {
				for range 20 {
					if end, err := l.Begin("ann", home); err == nil {
						guesses.Add(1)
						end(true)
					}
				}
			})
		}
		group.Wait()
		if got := guesses.Load(); got != 10 {
			t.Errorf("%d guesses, want 10", got)
		}
	})
}

// held returns the number of buckets in memory. The cache's Len does not count the expired ones.
func held[K comparable](b *buckets[K]) uint64 {
	metrics := b.cache.Metrics()
	return metrics.Insertions - metrics.Evictions
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoginLimiter(Config{FailuresPerUser: 3, FailuresPerAddress: 3, Window: window, LimiterSize: 10}, time.Now)
		for i := range 1000 {
			retryAfter(t, l, fmt.Sprint("user ", i), netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
			if failUntilRejected(t, l, "ann", unknown) != 0 && i > 0 {
				t.Fatalf("attempt %d: a user whose bucket is in use was forgotten", i)
			}
		}
		if users, addresses := held(l.users), held(l.addresses); users != 10 || addresses != 10 {
			t.Errorf("%d users and %d addresses, want 10 of each", users, addresses)
		}
		for i := range 10 {
			retryAfter(t, l, fmt.Sprint("another ", i), unknown)
		}
		if got := failUntilRejected(t, l, "ann", unknown); got != 3 {
			t.Errorf("%d attempts, want 3: the least recently used bucket must be evicted", got)
		}

		<-time.After(window + time.Second)
		retryAfter(t, l, "bob", home)
		if users, addresses := held(l.users), held(l.addresses); users != 1 || addresses != 1 {
			t.Errorf("%d users and %d addresses after a window, want 1 of each", users, addresses)
		}
	})
}

// A rejected address creates no user buckets: they would evict those of other users at no cost.
func TestRejectedAddressEvictsNoUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLimiter(3, 3)
		failUntilRejected(t, l, "ann", unknown)
		for i := range 1000 {
			retryAfter(t, l, fmt.Sprint("user ", i), home)
		}
		if got := failUntilRejected(t, l, "ann", unknown); got != 0 {
			t.Errorf("%d attempts, want 0", got)
		}
	})
}
