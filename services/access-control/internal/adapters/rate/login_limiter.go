// Package rate limits logins with token buckets, and shares the time for password checks fairly.
package rate

import (
	"context"
	"net/netip"
	"time"

	"golang.org/x/sync/semaphore"
)

// Attempts of one user, and of one address, that are in progress at once. They are far fewer than the logins that the service
// handles at once, so that neither a user nor an address blocks the others.
const (
	maxPerUser    = 100
	maxPerAddress = 300
)

// Config holds the settings of a LoginLimiter.
type Config struct {
	FailuresPerUser    int           `default:"10" validate:"min=0" help:"Failed logins per user in a window; 0: no limit."`
	FailuresPerAddress int           `default:"50" validate:"min=0" help:"Failed logins per client address (IPv6: /64) in a window; 0: no limit."`
	AttemptsPerUser    int           `default:"300" validate:"min=0" help:"Logins per user in a window, failed or not; 0: no limit."`
	AttemptsPerAddress int           `default:"3000" validate:"min=0" help:"Logins per client address in a window, failed or not; 0: no limit."`
	Window             time.Duration `default:"5m" validate:"min=1s,max=24h" help:"Time until logins are forgotten, one by one."`
	LimiterSize        int           `default:"10000" validate:"min=1" help:"Number of users, and of client addresses, whose logins are remembered; 10,000 take 15 MB."`
}

// LoginLimiter limits logins. It implements app.LoginLimiter.
//
// Each user and each client address has two token buckets. A failed attempt takes a token from both of them, a successful
// attempt from the larger one, and time refills them. The limits hold per process: n replicas admit n times as many
// attempts. An IPv6 address counts as its /64, because a host chooses the other 64 bits itself (RFC 4291, section 2.5.1).
//
// An attempt waits for a slot of its user, then for one of its address, then for one of the checks that run at once. Each of
// these queues is first in, first out. A user has a quarter of the checks, and an address half of them, but at least one: other
// users wait for a few checks of a busy user, not for all of them.
//
// When all of the LimiterSize buckets are in use, a new one evicts the least recently used, whose attempts are forgotten.
// To evict a user's bucket, an attacker must try LimiterSize other names, each at the cost of a password check. The size
// suffices if that takes longer than the window, because the bucket is full again by then.
type LoginLimiter struct {
	now       func() time.Time
	checks    *semaphore.Weighted
	users     *buckets[string]
	addresses *buckets[netip.Prefix]
}

// NewLoginLimiter returns a limiter that runs as many password checks at once as checks says.
func NewLoginLimiter(config Config, checks int, now func() time.Time) *LoginLimiter {
	n := int64(checks)
	return &LoginLimiter{
		now:       now,
		checks:    semaphore.NewWeighted(n),
		users:     newBuckets[string](config.AttemptsPerUser, config.FailuresPerUser, maxPerUser, n/4, config),
		addresses: newBuckets[netip.Prefix](config.AttemptsPerAddress, config.FailuresPerAddress, maxPerAddress, n/2, config),
	}
}

// Begin implements app.LoginLimiter.
func (l *LoginLimiter) Begin(ctx context.Context, username string, address netip.Addr) (end func(failed bool), err error) {
	if deadline, ok := ctx.Deadline(); ok {
		// Leave time for the check, or for telling the caller why there was none.
		limited, cancel := context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
		defer cancel()
		ctx = limited
	}
	a := &attempt{limiter: l}
	if err = a.begin(ctx, username, address); err != nil {
		a.leave()
		return nil, err
	}
	return a.end, nil
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
