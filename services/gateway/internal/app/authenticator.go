package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"example.com/warren/services/gateway/internal/domain"
)

// TokenValidator asks the one who issued the tokens.
type TokenValidator interface {
	// Validate returns domain.ErrInvalidToken for a token that is not valid; any other error means that nobody could
	// be asked.
	Validate(ctx context.Context, token string) (domain.Identity, error)
}

// IdentityCache remembers identities for a time. Its keys are fingerprints, so that it holds no token.
type IdentityCache interface {
	Get(key string) (domain.Identity, bool)
	Put(key string, identity domain.Identity, ttl time.Duration)
	Delete(key string)
}

// Authenticator tells who sent a token.
type Authenticator struct {
	validator TokenValidator
	cache     IdentityCache
	ttl       time.Duration
	now       func() time.Time

	checks    singleflight.Group
	forgotten atomic.Uint64 // how often Forget was called

	mu      sync.Mutex
	askings map[string]*asking
}

// asking is a check that callers wait for. It ends with the last of them.
type asking struct {
	ctx     context.Context
	cancel  context.CancelFunc
	waiters int
}

// NewAuthenticator returns an Authenticator that takes an answer for true until ttl has passed or the token expires. A
// revoked token is therefore let in for ttl at most; with a ttl of 0 every request is checked.
func NewAuthenticator(validator TokenValidator, cache IdentityCache, ttl time.Duration, now func() time.Time) *Authenticator {
	return &Authenticator{validator: validator, cache: cache, ttl: ttl, now: now, askings: map[string]*asking{}}
}

// Authenticate returns whom token speaks for, or domain.ErrInvalidToken. Any other error means that nobody could be
// asked, and then nobody is let in. Concurrent checks of one token share one question.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (domain.Identity, error) {
	if token == "" || len(token) > domain.MaxTokenBytes {
		return domain.Identity{}, fmt.Errorf("%w: it has %d bytes", domain.ErrInvalidToken, len(token))
	}
	key := fingerprint(token)
	if identity, ok := a.cache.Get(key); ok && a.now().Before(identity.ExpiresAt) {
		return identity, nil
	}
	asking := a.join(ctx, key)
	defer a.leave(key, asking)
	check := a.checks.DoChan(key, func() (any, error) { return a.check(asking.ctx, key, token) })
	select {
	case result := <-check:
		identity, _ := result.Val.(domain.Identity)
		return identity, result.Err
	case <-ctx.Done():
		return domain.Identity{}, ctx.Err()
	}
}

// join counts a caller in. The answer must not be lost with the caller who happened to ask first, nor waited for when
// nobody wants it any more.
func (a *Authenticator) join(ctx context.Context, key string) *asking {
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.askings[key]
	if x == nil {
		x = &asking{}
		x.ctx, x.cancel = context.WithCancel(context.WithoutCancel(ctx))
		a.askings[key] = x
	}
	x.waiters++
	return x
}

func (a *Authenticator) leave(key string, x *asking) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if x.waiters--; x.waiters > 0 {
		return
	}
	delete(a.askings, key)
	a.checks.Forget(key) // the next caller must not get the answer of a check that was given up
	x.cancel()
}

func (a *Authenticator) check(ctx context.Context, key, token string) (domain.Identity, error) {
	forgotten := a.forgotten.Load()
	identity, err := a.validator.Validate(ctx, token)
	if err != nil {
		return domain.Identity{}, err
	}
	left := identity.ExpiresAt.Sub(a.now())
	if left <= 0 {
		return domain.Identity{}, fmt.Errorf("%w: expired", domain.ErrInvalidToken)
	}
	if ttl := min(a.ttl, left); ttl > 0 {
		a.cache.Put(key, identity, ttl)
	}
	if a.forgotten.Load() != forgotten {
		a.cache.Delete(key) // this answer may be older than a logout
	}
	return identity, nil
}

// Forget has the next request with token checked again, after a logout.
func (a *Authenticator) Forget(token string) {
	key := fingerprint(token)
	a.forgotten.Add(1)
	a.checks.Forget(key)
	a.cache.Delete(key)
}

func fingerprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
