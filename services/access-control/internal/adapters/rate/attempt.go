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
	buckets []*bucket // that count it as pending
	held    []hold    // released when it ends
}

type hold struct {
	of *semaphore.Weighted
	n  int64
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
	// Wait for the user first: of a user's attempts, few wait among those of other users at the address.
	for _, b := range slices.Backward(a.buckets) {
		if err := a.takeSlot(ctx, b); err != nil {
			return err
		}
	}
	return a.acquire(ctx, a.limiter.checks, 1)
}

// takeSlot waits for a slot of b. While b is short of tokens, it waits for all slots: then the outcome of every earlier attempt
// is known, and that of this one is counted before the next begins.
func (a *attempt) takeSlot(ctx context.Context, b *bucket) error {
	for slots := int64(1); ; slots = b.maxSlots {
		if err := a.acquire(ctx, b.slots, slots); err != nil {
			return err
		}
		now := a.limiter.now()
		if err := b.check(now); err != nil {
			return err
		}
		if slots == b.maxSlots || b.hasTokensForAll(now) {
			return nil
		}
		a.held = a.held[:len(a.held)-1]
		b.slots.Release(slots)
	}
}

// enter makes the attempt pending in b, unless b admits no attempt now.
func (a *attempt) enter(b *bucket) error {
	if err := b.check(a.limiter.now()); err != nil {
		return err
	}
	if !b.pending.TryAcquire(1) {
		return &domain.TooManyLoginsError{RetryAfter: time.Second}
	}
	a.held = append(a.held, hold{b.pending, 1})
	a.buckets = append(a.buckets, b)
	return nil
}

func (a *attempt) acquire(ctx context.Context, of *semaphore.Weighted, n int64) error {
	if of.Acquire(ctx, n) != nil {
		return &domain.TooManyLoginsError{RetryAfter: time.Second}
	}
	a.held = append(a.held, hold{of, n})
	return nil
}

// end counts the attempt before it releases its slots to others.
func (a *attempt) end(failed bool) {
	now := a.limiter.now()
	for _, b := range a.buckets {
		b.count(now, failed)
	}
	a.leave()
}

func (a *attempt) leave() {
	for _, held := range a.held {
		held.of.Release(held.n)
	}
	for _, b := range a.buckets {
		b.discard()
	}
}
