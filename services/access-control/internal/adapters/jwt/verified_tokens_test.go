package jwt

import (
	"strconv"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/warren/pkg/keyring"
	"example.com/warren/services/access-control/internal/domain"
)

// A token whose signature is known to be valid is still rejected before and after its time.
func TestVerifiedTokenIsChecked(t *testing.T) {
	at := now
	tokens := testTokensAt(t, testRing(t), keyring.EdDSA, func() time.Time { return at })
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
		claims, err := tokens.Verify(t.Context(), token)
		if !errorIs(err, step.want) {
			t.Errorf("at %s: got %v, want %v", at, err, step.want)
		}
		if err != nil && claims.Subject != "" {
			t.Errorf("at %s: got claims and an error: %+v", at, claims)
		}
		if _, ok := tokens.verified.get(token); !ok {
			t.Errorf("at %s: the token is not remembered", at)
		}
	}
}

// The signature is verified once: without a parser that accepts it a known token is still valid, and a new one is not.
func TestVerifiedTokenIsNotParsedAgain(t *testing.T) {
	tokens := testTokens(t, keyring.EdDSA)
	known, err := tokens.Sign(testClaims())
	if err != nil {
		t.Fatal(err)
	}
	other := testClaims()
	other.TokenID = "another"
	unknown, err := tokens.Sign(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Verify(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	tokens.parser = jwt.NewParser(jwt.WithValidMethods([]string{"another"}))
	if _, err := tokens.Verify(t.Context(), known); err != nil {
		t.Errorf("known: %v", err)
	}
	if _, err := tokens.Verify(t.Context(), unknown); !errorIs(err, domain.ErrTokenInvalid) {
		t.Errorf("new: got %v, want it invalid", err)
	}
}

func TestVerifiedTokensAreBounded(t *testing.T) {
	v := newVerifiedTokens()
	const used = "0"
	for i := range 2 * maxVerifiedTokens {
		v.add(strconv.Itoa(i), verifiedToken{})
		if _, ok := v.get(used); !ok {
			t.Fatalf("the token in use is forgotten after %d others", i)
		}
	}
	if n := v.cache.Len(); n != maxVerifiedTokens {
		t.Errorf("%d are remembered, want %d", n, maxVerifiedTokens)
	}
}

func BenchmarkVerify(b *testing.B) {
	tokens := testTokens(b, keyring.EdDSA)
	token := goodToken()
	verify := func(b *testing.B) {
		if _, err := tokens.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tokens.verified.cache.DeleteAll()
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
