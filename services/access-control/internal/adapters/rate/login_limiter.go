package rate

import (
	"net/netip"
	"sync"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// LoginLimiterOptions are the settings of a LoginLimiter.
type LoginLimiterOptions struct {
	FailuresPerUser    int              // in one window; 0: no limit
	FailuresPerAddress int              // in one window; 0: no limit
	Window             time.Duration    // an empty bucket takes as long to fill
	Size               int              // buckets of users, and as many of addresses, that are kept; 10,000 take 8 MB
	Now                func() time.Time // time.Now, or a test's
}

// LoginLimiter is an app.LoginLimiter. Each user and each address has a bucket of tokens, which a failed attempt takes
// one from and time refills. It counts for this process alone: n replicas let n times as much through.
//
// An IPv6 address counts as its /64: a host chooses the other 64 bits itself (RFC 4291, section 2.5.1).
//
// Where Size buckets are in use, the one unused for longest makes room for a new one, and its failures are forgotten. To
// have a user's forgotten, someone must try Size other names, each of which has a password checked. Size is large enough
// if so many checks take longer than the window: the bucket is full by then anyway.
type LoginLimiter struct {
	now func() time.Time

	mu        sync.Mutex // an attempt counts in both buckets or in none
	users     *buckets[string]
	addresses *buckets[netip.Prefix]
}

// NewLoginLimiter returns a limiter that has seen no attempts.
func NewLoginLimiter(options LoginLimiterOptions) *LoginLimiter {
	return &LoginLimiter{
		now:       options.Now,
		users:     newBuckets[string](options.FailuresPerUser, options.Window, options.Size),
		addresses: newBuckets[netip.Prefix](options.FailuresPerAddress, options.Window, options.Size),
	}
}

// Begin implements app.LoginLimiter.
func (l *LoginLimiter) Begin(username string, address netip.Addr) (end func(failed bool), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	// An address that is refused makes no buckets of users: it could push out those of others for free.
	byAddress := l.ofAddress(address)
	if wait := byAddress.wait(now); wait > 0 {
		return nil, &domain.TooManyFailedLoginsError{RetryAfter: wait}
	}
	byUser := l.users.get(username)
	if wait := byUser.wait(now); wait > 0 {
		return nil, &domain.TooManyFailedLoginsError{RetryAfter: wait}
	}
	byAddress.begin()
	byUser.begin()
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

const ipv6NetworkBits = 64

// network returns what address shares a bucket with: nobody in IPv4, its /64 in IPv6, whatever the zone.
func network(address netip.Addr) netip.Prefix {
	address = address.Unmap()
	bits := address.BitLen()
	if address.Is6() {
		bits = ipv6NetworkBits
	}
	return netip.PrefixFrom(address, bits).Masked()
}
