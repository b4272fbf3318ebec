// Package rate limits failed logins with token buckets.
package rate

import (
	"net/netip"
	"sync"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// Config holds the settings of a LoginLimiter.
type Config struct {
	FailuresPerUser    int           `default:"10" validate:"min=0" help:"Failed logins per user in a window; 0: no limit."`
	FailuresPerAddress int           `default:"50" validate:"min=0" help:"Failed logins per client address (IPv6: /64) in a window; 0: no limit."`
	Window             time.Duration `default:"5m" validate:"min=1s,max=24h" help:"Time until failed logins are forgotten, one by one."`
	LimiterSize        int           `default:"10000" validate:"min=1" help:"Number of users, and of client addresses, whose failures are remembered; 10,000 take 8 MB."`
}

// LoginLimiter limits failed logins. It implements app.LoginLimiter.
//
// Each user and each client address has a token bucket: a failed attempt takes a token, and time refills the bucket.
// The limits hold per process: n replicas admit n times as many failures. An IPv6 address counts as its /64, because a
// host chooses the other 64 bits itself (RFC 4291, section 2.5.1).
//
// When all of the LimiterSize buckets are in use, a new one evicts the least recently used, whose failures are forgotten.
// To evict a user's bucket, an attacker must try LimiterSize other names, each at the cost of a password check. The size
// suffices if that takes longer than the window, because the bucket is full again by then.
type LoginLimiter struct {
	now func() time.Time

	mu        sync.Mutex // guards the buckets: an attempt counts in both or in neither
	users     *buckets[string]
	addresses *buckets[netip.Prefix]
}

// NewLoginLimiter returns a limiter that has seen no attempts.
func NewLoginLimiter(config Config, now func() time.Time) *LoginLimiter {
	return &LoginLimiter{
		now:       now,
		users:     newBuckets[string](config.FailuresPerUser, config),
		addresses: newBuckets[netip.Prefix](config.FailuresPerAddress, config),
	}
}

// Begin implements app.LoginLimiter.
func (l *LoginLimiter) Begin(username string, address netip.Addr) (end func(failed bool), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	// Check the address first: a rejected address must not create user buckets, which would evict others at no cost.
	byAddress := l.ofAddress(address)
	if wait := byAddress.wait(now); wait > 0 {
		return nil, &domain.TooManyFailedLoginsError{RetryAfter: wait}
	}
	byUser := l.users.get(username)
	if wait := byUser.wait(now); wait > 0 {
		return nil, &domain.TooManyFailedLoginsError{RetryAfter: wait}
	}
	byAddress.pending++
	byUser.pending++
	return func(failed bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		now := l.now()
		byAddress.end(now, failed)
		byUser.end(now, failed)
	}, nil
}

func (l *LoginLimiter) ofAddress(address netip.Addr) *bucket {
	if !address.IsValid() {
		return unlimited()
	}
	return l.addresses.get(network(address))
}

// network returns the prefix that shares a bucket: the address itself in IPv4, its /64 in IPv6, in any zone.
func network(address netip.Addr) netip.Prefix {
	address = address.Unmap()
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(address, bits).Masked()
}
