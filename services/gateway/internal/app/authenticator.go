// Package app holds the one decision that the gateway makes itself: who sent a request. Everything else is passed on.
package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"example.com/warren/pkg/rpc"
)

// ErrInvalidToken reports that a token is malformed, expired, revoked or forged: the caller must log in again.
var ErrInvalidToken = errors.New("invalid token")

// TokenValidator checks a token where tokens are issued.
type TokenValidator interface {
	// Validate returns ErrInvalidToken for a token that is not valid. Any other error means that the token could not be
	// checked.
	Validate(ctx context.Context, token string) (*rpc.Identity, error)
}

// IdentityCache keeps identities for a limited time. Its keys are fingerprints, so that it holds no token.
type IdentityCache interface {
	Get(key string) *rpc.Identity // nil: not there
	Put(key string, identity *rpc.Identity, ttl time.Duration)
	Delete(key string)
}

// Authenticator finds out who sent a token.
type Authenticator struct {
	validator TokenValidator
	cache     IdentityCache
	ttl       time.Duration
	timeout   time.Duration
	now       func() time.Time

	checks singleflight.Group // by fingerprint

	forgets atomic.Uint64 // how often Forget was called
	mu      sync.Mutex    // held while a result is cached, and while Forget drops one
}

// NewAuthenticator returns an Authenticator that trusts a result until ttl has passed or the token has expired. A revoked
// token is therefore accepted for ttl at most; with a ttl of 0 every request is checked. A check takes at most timeout.
func NewAuthenticator(validator TokenValidator, cache IdentityCache, ttl, timeout time.Duration, now func() time.Time) *Authenticator {
	return &Authenticator{validator: validator, cache: cache, ttl: ttl, timeout: timeout, now: now}
}

// Authenticate returns the identity that token stands for, or ErrInvalidToken. Any other error means that the token could
// not be checked by the deadline, and the request must be refused. The identity is shared: it must not be changed.
//
// Concurrent checks of one token share one call to the validator.
func (a *Authenticator) Authenticate(ctx context.Context, token string, deadline time.Time) (*rpc.Identity, error) {
	if token == "" || len(token) > rpc.MaxTokenBytes {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrInvalidToken, len(token))
	}
	key := fingerprint(token)
	if identity := a.cache.Get(key); identity != nil && a.now().Before(identity.ExpiresAt) {
		return identity, nil
	}
	return a.await(ctx, key, token, deadline)
}

// await returns the result of a check, of which there is one at a time for each token.
func (a *Authenticator) await(ctx context.Context, key, token string, deadline time.Time) (*rpc.Identity, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for {
		began := false
		check := a.checks.DoChan(key, func() (any, error) {
			began = true
			return a.check(ctx, key, token)
		})
		select {
		case result := <-check:
			if !began && errors.Is(result.Err, rpc.ErrTimeout) && ctx.Err() == nil {
				continue // the check of an earlier request, which had less time left
			}
			identity, _ := result.Val.(*rpc.Identity)
			return identity, result.Err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// check calls the validator. It outlives the caller that started it, because others may share the result.
func (a *Authenticator) check(ctx context.Context, key, token string) (*rpc.Identity, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.timeout)
	defer cancel()
	forgets := a.forgets.Load()
	identity, err := a.validator.Validate(ctx, token)
	if err != nil {
		return nil, err
	}
	// The validator may accept an expired token within its leeway. Such a token is not cached.
	if ttl := min(a.ttl, identity.ExpiresAt.Sub(a.now())); ttl > 0 {
		a.remember(key, identity, ttl, forgets)
	}
	return identity, nil
}

// remember caches the result of a check, unless Forget was called since the check began: the result may be older than a
// logout.
func (a *Authenticator) remember(key string, identity *rpc.Identity, ttl time.Duration, forgets uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.forgets.Load() == forgets {
		a.cache.Put(key, identity, ttl)
	}
}

// Forget makes the next request with token check it again, after a logout.
func (a *Authenticator) Forget(token string) {
	key := fingerprint(token)
	a.checks.Forget(key) // a check in flight may be older than the logout
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgets.Add(1)
	a.cache.Delete(key)
}

func fingerprint(token string) string {
	sum := sha256.Sum256(append(make([]byte, 0, 1024), token...)) // most tokens fit the stack
	return string(sum[:])
}
