package rpc

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/jellydator/ttlcache/v3"

	"example.com/warren/pkg/rpc/protocol"
)

const (
	// verifiedFor is how long a verified signature is remembered, and so how long a removed key stays in use.
	verifiedFor = time.Minute
	maxVerified = 10_000
)

var (
	errExpiredIdentity = errors.New("identity expired")
	// errUnverified is what the caller sees, with the challenge that RFC 9110, section 15.5.2 requires.
	errUnverified = Unauthorized("the identity of the caller is not valid: log in again").WithHeader("WWW-Authenticate", "Bearer")
)

// identityVerifier checks the identities of requests. It remembers the assertions that it has verified, because verifying a
// signature takes longer than everything else that a server does with a request.
type identityVerifier struct {
	key      func(id string) ed25519.PublicKey // nil: signatures are not verified
	leeway   time.Duration
	verified *ttlcache.Cache[string, struct{}]
}

func newIdentityVerifier(key func(id string) ed25519.PublicKey, leeway time.Duration) *identityVerifier {
	return &identityVerifier{key, leeway, ttlcache.New(
		ttlcache.WithTTL[string, struct{}](verifiedFor),
		ttlcache.WithCapacity[string, struct{}](maxVerified),
		ttlcache.WithDisableTouchOnHit[string, struct{}](), // a hit must not prolong the time
	)}
}

// verify accepts requests without an identity: their caller is unknown, and the handler decides.
func (v *identityVerifier) verify(i *Identity) error {
	if i == nil {
		return nil
	}
	if !i.ExpiresAt.IsZero() && time.Since(i.ExpiresAt) > v.leeway {
		return fmt.Errorf("%w at %s", errExpiredIdentity, i.ExpiresAt.Format(time.RFC3339))
	}
	if v.key == nil || v.verified.Get(i.Assertion) != nil {
		return nil
	}
	if err := protocol.VerifyIdentity(i.Assertion, v.key); err != nil {
		return err
	}
	v.verified.Set(i.Assertion, struct{}{}, ttlcache.DefaultTTL)
	return nil
}
