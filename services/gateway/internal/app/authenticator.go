package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
}

// NewAuthenticator returns an Authenticator that takes an answer for true until ttl has passed or the token expires. A
// revoked token is therefore let in for ttl at most; with a ttl of 0 every request is checked.
func NewAuthenticator(validator TokenValidator, cache IdentityCache, ttl time.Duration, now func() time.Time) *Authenticator {
	return &Authenticator{validator: validator, cache: cache, ttl: ttl, now: now}
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
	check := a.checks.DoChan(key, func() (any, error) {
		// Others wait for this answer: it must not be lost with the caller who happened to ask first.
		return a.check(context.WithoutCancel(ctx), key, token)
	})
	select {
	case result := <-check:
		identity, _ := result.Val.(domain.Identity)
		return identity, result.Err
	case <-ctx.Done():
		return domain.Identity{}, ctx.Err()
	}
}

func (a *Authenticator) check(ctx context.Context, key, token string) (domain.Identity, error) {
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
	return identity, nil
}

// Forget has the next request with token checked again, after a logout.
func (a *Authenticator) Forget(token string) {
	key := fingerprint(token)
	a.checks.Forget(key)
	a.cache.Delete(key)
}

func fingerprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
