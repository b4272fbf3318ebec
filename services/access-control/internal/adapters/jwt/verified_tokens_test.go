package jwt

import (
	"strconv"
	"testing"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// A token whose signature is known to be good is still refused outside of its time.
func TestVerifiedTokenIsChecked(t *testing.T) {
	at := now
	verifier, err := NewVerifier(testRing(t, EdDSA),
		VerifierOptions{Issuer: issuer, Audience: audience, Leeway: leeway, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	token := goodToken()
	steps := []struct {
		at   time.Time
		want error
	}{
		{now, nil},
		{now.Add(15*time.Minute + leeway), domain.ErrTokenExpired},
		{now.Add(-leeway - time.Second), domain.ErrTokenNotYetValid},
		{now, nil},
	}
	for _, step := range steps {
		at = step.at
		claims, err := verifier.Verify(token)
		if !errorIs(err, step.want) {
			t.Errorf("at %s: got %v, want %v", at, err, step.want)
		}
		if err != nil && claims.Subject != "" {
			t.Errorf("at %s: claims with the error: %+v", at, claims)
		}
		if _, ok := verifier.verified.get(token); !ok {
			t.Errorf("at %s: it is not remembered", at)
		}
	}
}

// The signature is verified once: without any key a known token is still good, and a new one is not.
func TestVerifiedTokenNeedsNoKey(t *testing.T) {
	ring := testRing(t, EdDSA)
	known, err := NewSigner(ring, issuer, audience).Sign(testClaims())
	if err != nil {
		t.Fatal(err)
	}
	other := testClaims()
	other.TokenID = "another"
	unknown, err := NewSigner(ring, issuer, audience).Sign(other)
	if err != nil {
		t.Fatal(err)
	}
	verifier := testVerifier(t, ring)
	if _, err := verifier.Verify(known); err != nil {
		t.Fatal(err)
	}
	verifier.keys = &KeyRing{}
	if _, err := verifier.Verify(known); err != nil {
		t.Errorf("known: %v", err)
	}
	if _, err := verifier.Verify(unknown); !errorIs(err, domain.ErrTokenInvalid) {
		t.Errorf("new: got %v, want it invalid", err)
	}
}

func TestVerifiedTokensAreBounded(t *testing.T) {
	v := newVerifiedTokens()
	const used = "0"
	for i := range 2 * maxVerifiedTokens {
		v.add(strconv.Itoa(i), claims{})
		if _, ok := v.get(used); !ok {
			t.Fatalf("the one in use is gone after %d others", i)
		}
	}
	if n := v.cache.Len(); n != maxVerifiedTokens {
		t.Errorf("%d are remembered, want %d", n, maxVerifiedTokens)
	}
}

func BenchmarkVerify(b *testing.B) {
	verifier := testVerifier(b, testRing(b, EdDSA))
	token := goodToken()
	verify := func(b *testing.B) {
		if _, err := verifier.Verify(token); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			verifier.verified.cache.DeleteAll()
			verify(b)
		}
	})
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			verify(b)
		}
	})
}
