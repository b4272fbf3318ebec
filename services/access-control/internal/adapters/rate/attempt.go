package rate

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"example.com/warren/services/access-control/internal/domain"
)

// attempt is a login that waits for its password check, or is checked.
type attempt struct {
	limiter *LoginLimiter
	buckets []*bucket             // in which it has a place
	held    []*semaphore.Weighted // until it leaves
}

// begin returns once the password may be checked.
func (a *attempt) begin(ctx context.Context, username string, address netip.Addr) error {
	// Enter the address first: a rejected address must not create user buckets, which would evict others at no cost.
	if address.IsValid() && a.limiter.addresses.limited() {
		if err := a.enter(a.limiter.addresses.get(network(address))); err != nil {
			return err
		}
	}
	if err := a.enter(a.limiter.users.get(username)); err != nil {
		return err
	}
	// Wait for the user first: of a user's attempts, only one waits among those of other users at the address.
	for _, b := range slices.Backward(a.buckets) {
		if err := a.acquire(ctx, b.turn); err != nil {
			return err
		}
		if err := b.check(a.limiter.now()); err != nil { // an earlier attempt took the last token
			return err
		}
	}
	return a.acquire(ctx, a.limiter.checks)
}

// enter takes a place in b, unless b admits no attempt now.
func (a *attempt) enter(b *bucket) error {
	if err := b.check(a.limiter.now()); err != nil {
		return err
	}
	if !b.places.TryAcquire(1) {
		return &domain.TooManyLoginsError{RetryAfter: time.Second}
	}
	a.held = append(a.held, b.places)
	a.buckets = append(a.buckets, b)
	return nil
}

func (a *attempt) acquire(ctx context.Context, turn *semaphore.Weighted) error {
	if turn.Acquire(ctx, 1) != nil {
		return &domain.TooManyLoginsError{RetryAfter: time.Second}
	}
	a.held = append(a.held, turn)
	return nil
}

// end counts the attempt before it lets the next one have its turn.
func (a *attempt) end(failed bool) {
	now := a.limiter.now()
	for _, b := range a.buckets {
		b.count(now, failed)
	}
	a.leave()
}

func (a *attempt) leave() {
	for _, held := range a.held {
		held.Release(1)
	}
}
