package rate

import (
	"context"
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
	}, 1, time.Now)
}

// retryAfter makes a failing attempt. It returns 0, or the delay that a rejection asks for.
func retryAfter(t *testing.T, l *LoginLimiter, username string, address netip.Addr) time.Duration {
	t.Helper()
	end, err := l.Begin(t.Context(), username, address)
	if err == nil {
		end(true)
		return 0
	}
	rejected, ok := errors.AsType[*domain.TooManyLoginsError](err)
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
				end, err := l.Begin(t.Context(), "ann", home)
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

// TestAllAttemptsCount also has an attempt whose password was not checked.
func TestAllAttemptsCount(t *testing.T) {
	for name, config := range map[string]Config{
		"user":    {AttemptsPerUser: 4, Window: window},
		"address": {AttemptsPerAddress: 4, FailuresPerUser: 2, Window: window},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewLoginLimiter(config, 1, time.Now)
				for i := range 4 {
					end, err := l.Begin(t.Context(), "ann", home)
					if err != nil {
						t.Fatal(err)
					}
					end(i == 0)
				}
				if got := retryAfter(t, l, "ann", home); got != window/4 {
					t.Errorf("retry after %s, want %s", got, window/4)
				}
				<-time.After(window / 4)
				if got := failUntilRejected(t, l, "ann", home); got != 1 {
					t.Errorf("%d attempts after a quarter of the window, want 1", got)
				}
			})
		})
	}
}

// Concurrent guesses never exceed the limit, whenever they start and end and however many attempts succeed meanwhile.
func TestParallelGuesses(t *testing.T) {
	for name, limit := range map[string]struct{ perUser, perAddress int }{"user": {10, 0}, "address": {0, 10}, "both": {10, 10}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewLoginLimiter(Config{
					FailuresPerUser: limit.perUser, FailuresPerAddress: limit.perAddress, Window: 24 * time.Hour, LimiterSize: 100,
				}, 16, time.Now) // 4 of a user, 8 of an address at once
				var (
					group   sync.WaitGroup
					guesses atomic.Int32
				)
				for i := range 50 {
					group.Go(func() {
						for j := range 20 {
							end, err := l.Begin(t.Context(), "ann", home)
							if err != nil {
								continue
							}
							<-time.After(time.Duration(i+1) * time.Millisecond)
							failed := (i+j)%2 == 0
							if failed {
								guesses.Add(1)
							}
							end(failed)
						}
					})
				}
				group.Wait()
				if got := guesses.Load(); got != 10 {
					t.Errorf("%d guesses, want 10", got)
				}
			})
		})
	}
}

// check makes an attempt that succeeds after a second. It returns how long it waited for its check.
func check(t *testing.T, l *LoginLimiter, username string, address netip.Addr) (waited time.Duration, err error) {
	t.Helper()
	start := time.Now()
	end, err := l.Begin(t.Context(), username, address)
	waited = time.Since(start)
	if err == nil {
		<-time.After(time.Second)
		end(false)
	}
	return waited, err
}

// Attempts in progress don't count as failures: each of them is checked in the end.
func TestAttemptsInProgressWait(t *testing.T) {
	for name, limit := range map[string]struct{ perUser, perAddress int }{"user": {1, 0}, "address": {0, 1}, "both": {1, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newTestLimiter(limit.perUser, limit.perAddress)
				start := time.Now()
				var group sync.WaitGroup
				for range 50 {
					group.Go(func() {
						if _, err := check(t, l, "ann", home); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if took := time.Since(start); took != 50*time.Second {
					t.Errorf("50 attempts took %s, want 50s: one at a time", took)
				}
			})
		})
	}
}

func TestChecksAtOnce(t *testing.T) {
	one := func(int) string { return "ann" }
	each := func(i int) string { return fmt.Sprint("user ", i) }
	tests := []struct {
		name     string
		checks   int
		config   Config
		username func(i int) string
		address  netip.Addr
		want     int
	}{
		{"of a service", 16, Config{}, each, unknown, 16},
		{"of an address without limits", 16, Config{}, each, home, 16},
		{"of an address", 16, Config{FailuresPerAddress: 50}, each, home, 8},
		{"of an address, one check", 1, Config{FailuresPerAddress: 50}, each, home, 1},
		{"of an address that is short of tokens", 16, Config{FailuresPerAddress: 7}, each, home, 1},
		{"of a user", 16, Config{FailuresPerUser: 10}, one, home, 4},
		{"of a user, three checks", 3, Config{FailuresPerUser: 10}, one, unknown, 1},
		{"of a user without limits", 16, Config{}, one, unknown, 4},
		{"of a user who is short of tokens", 16, Config{FailuresPerUser: 3}, one, unknown, 1},
		{"of a user who is short of tokens at a good address", 16, Config{FailuresPerUser: 3, FailuresPerAddress: 50}, one, home, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.config.Window, test.config.LimiterSize = window, 100
				l := NewLoginLimiter(test.config, test.checks, time.Now)
				start := time.Now()
				var group sync.WaitGroup
				const attempts = 64
				for i := range attempts {
					group.Go(func() {
						if _, err := check(t, l, test.username(i), test.address); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if took, want := time.Since(start), attempts/time.Duration(test.want)*time.Second; took != want {
					t.Errorf("%d attempts took %s, want %s: %d at once", attempts, took, want, test.want)
				}
			})
		})
	}
}

// While some make as many attempts as they can, another user waits for one check of each busy user at the same address, or
// for one of each busy address.
func TestFairness(t *testing.T) {
	type who struct {
		username string
		address  netip.Addr
	}
	usersAt := func(n int, address netip.Addr) (all []who) {
		for i := range n {
			all = append(all, who{fmt.Sprint("user ", i), address})
		}
		return all
	}
	tests := []struct {
		name string
		busy []who
		who  who
		want time.Duration // the longest wait
	}{
		{"a user at the same address", []who{{"ann", home}}, who{"bob", home}, 2 * time.Second},
		{"a user at another address", []who{{"ann", home}}, who{"bob", office}, 2 * time.Second},
		{"a user of a service", []who{{"ann", unknown}}, who{"bob", unknown}, 2 * time.Second},
		{"a user at several addresses", []who{{"ann", home}, {"ann", unknown}}, who{"bob", office}, 2 * time.Second},
		{"several users at the same address", usersAt(3, home), who{"bob", home}, 4 * time.Second},
		{"several users at another address", usersAt(3, home), who{"bob", office}, 2 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newTestLimiter(10, 50)
				done := make(chan struct{})
				var group sync.WaitGroup
				for _, who := range test.busy {
					for range maxPerUser / len(test.busy) {
						group.Go(func() {
							for {
								if _, err := check(t, l, who.username, who.address); err != nil {
									t.Error(err)
								}
								select {
								case <-done:
									return
								default:
								}
							}
						})
					}
				}
				synctest.Wait()
				for range 5 {
					waited, err := check(t, l, test.who.username, test.who.address)
					if err != nil || waited > test.want {
						t.Errorf("waited %s, %v; want at most %s", waited, err, test.want)
					}
				}
				close(done)
				group.Wait()
			})
		})
	}
}

// An attempt gives up early enough to tell its caller.
func TestAttemptThatWaitsTooLong(t *testing.T) {
	for name, busy := range map[string]struct {
		username string
		address  netip.Addr
	}{
		"for its user": {"ann", office}, "for its address": {"bob", home}, "for a check": {"bob", office},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newTestLimiter(3, 50)
				end, err := l.Begin(t.Context(), busy.username, busy.address)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err = l.Begin(ctx, "ann", home)
				if limited, ok := errors.AsType[*domain.TooManyLoginsError](err); !ok || limited.RetryAfter != time.Second {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took != 9*time.Second {
					t.Errorf("gave up after %s, want 9s", took)
				}
				end(false)
				if got := failUntilRejected(t, l, "ann", home); got != 3 {
					t.Errorf("%d attempts are left, want 3: an attempt without a check must not count", got)
				}
			})
		})
	}
}

// Attempts past the limit of those in progress are rejected. Other users and addresses go on.
func TestAttemptsInProgressAreBounded(t *testing.T) {
	one := func(int) string { return "ann" }
	each := func(i int) string { return fmt.Sprint("user ", i) }
	tests := []struct {
		name     string
		username func(i int) string
		limit    int
		refused  netip.Addr // where ann is refused
		admitted string     // who is admitted at the office
	}{
		{"of a user", one, maxPerUser, office, "bob"},
		{"of an address", each, maxPerAddress, home, "ann"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewLoginLimiter(Config{FailuresPerUser: 10, FailuresPerAddress: 50, Window: window, LimiterSize: 1000}, 1, time.Now)
				var group sync.WaitGroup
				for i := range test.limit {
					group.Go(func() {
						if _, err := check(t, l, test.username(i), home); err != nil {
							t.Error(err)
						}
					})
				}
				synctest.Wait()
				if got := retryAfter(t, l, "ann", test.refused); got != time.Second {
					t.Errorf("retry after %s, want 1s", got)
				}
				if waited, err := check(t, l, test.admitted, office); err != nil || waited > 2*time.Second {
					t.Errorf("another one waited %s, %v", waited, err)
				}
				group.Wait()
				if got := failUntilRejected(t, l, "ann", home); got != 10 {
					t.Errorf("%d attempts are left, want 10", got)
				}
			})
		})
	}
}

// inMemory returns the number of buckets in memory. The cache's Len does not count the expired ones.
func inMemory[K comparable](b *buckets[K]) uint64 {
	metrics := b.cache.Metrics()
	return metrics.Insertions - metrics.Evictions
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoginLimiter(Config{FailuresPerUser: 3, FailuresPerAddress: 3, Window: window, LimiterSize: 10}, 1, time.Now)
		for i := range 1000 {
			retryAfter(t, l, fmt.Sprint("user ", i), netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
			if failUntilRejected(t, l, "ann", unknown) != 0 && i > 0 {
				t.Fatalf("attempt %d: a user whose bucket is in use was forgotten", i)
			}
		}
		if users, addresses := inMemory(l.users), inMemory(l.addresses); users != 10 || addresses != 10 {
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
		if users, addresses := inMemory(l.users), inMemory(l.addresses); users != 1 || addresses != 1 {
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

// Attempts that give up before their check evict no other bucket.
func TestAttemptsWithoutCheckEvictNoUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoginLimiter(Config{FailuresPerUser: 3, FailuresPerAddress: 30, Window: time.Hour, LimiterSize: 10}, 1, time.Now)
		failUntilRejected(t, l, "ann", unknown)
		end, err := l.Begin(t.Context(), "busy", unknown)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			address := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			if _, err := l.Begin(ctx, fmt.Sprint("user ", i), address); err == nil {
				t.Fatal("admitted")
			}
			cancel()
		}
		if got := failUntilRejected(t, l, "ann", unknown); got != 0 {
			t.Errorf("%d attempts, want 0", got)
		}
		end(true)
		if users, addresses := inMemory(l.users), inMemory(l.addresses); users != 2 || addresses != 0 {
			t.Errorf("%d users and %d addresses are remembered, want 2 and none", users, addresses)
		}
	})
}

// An attempt whose bucket was evicted while it waited does not discard the one that has taken its place.
func TestEvictedBucketForgetsNoFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoginLimiter(Config{FailuresPerUser: 3, FailuresPerAddress: 30, Window: time.Hour, LimiterSize: 1}, 2, time.Now)
		end, err := l.Begin(t.Context(), "busy", home)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := l.Begin(ctx, "ann", home) // waits for the slot of home
			result <- err
		}()
		synctest.Wait()
		retryAfter(t, l, "bob", unknown) // evicts ann
		failUntilRejected(t, l, "ann", unknown)
		cancel()
		if err := <-result; err == nil {
			t.Error("admitted")
		}
		if got := failUntilRejected(t, l, "ann", unknown); got != 0 {
			t.Errorf("%d attempts, want 0", got)
		}
		end(false)
	})
}
