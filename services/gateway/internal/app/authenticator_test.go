package app

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/services/gateway/internal/domain"
)

// cache is an IdentityCache that keeps all, and the ttl it was given.
type cache struct {
	mu      sync.Mutex
	entries map[string]domain.Identity
	ttls    []time.Duration
}

func newCache() *cache { return &cache{entries: map[string]domain.Identity{}} }

func (c *cache) Get(key string) (domain.Identity, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	identity, ok := c.entries[key]
	return identity, ok
}

func (c *cache) Put(key string, identity domain.Identity, ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[key] = identity
	c.ttls = append(c.ttls, ttl)
}

func (c *cache) Delete(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}

// validator answers with f and counts the questions.
type validator struct {
	mu    sync.Mutex
	asked int
	f     func(ctx context.Context, token string) (domain.Identity, error)
}

func (v *validator) Validate(ctx context.Context, token string) (domain.Identity, error) {
	v.mu.Lock()
	v.asked++
	v.mu.Unlock()
	return v.f(ctx, token)
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func valid(lifetime time.Duration) func(context.Context, string) (domain.Identity, error) {
	return func(_ context.Context, token string) (domain.Identity, error) {
		return domain.Identity{Subject: "subject of " + token, ExpiresAt: now.Add(lifetime)}, nil
	}
}

func TestAuthenticateAsksOnceWhileTheAnswerIsFresh(t *testing.T) {
	tests := map[string]struct {
		ttl, lifetime time.Duration
		wantAsked     int
		wantTTLs      []time.Duration
	}{
		"cached": {ttl: 5 * time.Second, lifetime: time.Hour, wantAsked: 1, wantTTLs: []time.Duration{5 * time.Second}},
		"never past the token's expiry": {
			ttl: 5 * time.Second, lifetime: 2 * time.Second, wantAsked: 1, wantTTLs: []time.Duration{2 * time.Second},
		},
		"turned off: checked every time": {ttl: 0, lifetime: time.Hour, wantAsked: 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, c := &validator{f: valid(test.lifetime)}, newCache()
			a := NewAuthenticator(v, c, test.ttl, func() time.Time { return now })
			for range 3 {
				identity, err := a.Authenticate(t.Context(), "token")
				if err != nil || identity.Subject != "subject of token" {
					t.Fatalf("got %+v, %v", identity, err)
				}
			}
			if v.asked != test.wantAsked {
				t.Errorf("asked %d times, want %d", v.asked, test.wantAsked)
			}
			if diff := cmp.Diff(test.wantTTLs, c.ttls); diff != "" {
				t.Errorf("times to live (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	broken := errors.New("broker unavailable")
	tests := map[string]struct {
		token     string
		f         func(context.Context, string) (domain.Identity, error)
		want      error
		wantAsked int
	}{
		"no token":                     {token: "", want: domain.ErrInvalidToken},
		"a huge token, without asking": {token: strings.Repeat("x", domain.MaxTokenBytes+1), want: domain.ErrInvalidToken},
		"an expired identity":          {token: "t", f: valid(-time.Second), want: domain.ErrInvalidToken, wantAsked: 2},
		"nobody to ask": {token: "t", f: func(context.Context, string) (domain.Identity, error) {
			return domain.Identity{}, broken
		}, want: broken, wantAsked: 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, c := &validator{f: test.f}, newCache()
			a := NewAuthenticator(v, c, time.Minute, func() time.Time { return now })
			for range 2 { // a refusal is not remembered
				if _, err := a.Authenticate(t.Context(), test.token); !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			}
			if v.asked != test.wantAsked || len(c.entries) != 0 {
				t.Errorf("asked %d times, cached %d; want %d and 0", v.asked, len(c.entries), test.wantAsked)
			}
		})
	}
}

func TestAuthenticateDoesNotTrustAnExpiredEntry(t *testing.T) {
	v, c := &validator{f: valid(time.Hour)}, newCache()
	clock := now
	a := NewAuthenticator(v, c, time.Hour, func() time.Time { return clock })
	if _, err := a.Authenticate(t.Context(), "token"); err != nil {
		t.Fatal(err)
	}
	clock = now.Add(time.Hour)
	if _, err := a.Authenticate(t.Context(), "token"); !errors.Is(err, domain.ErrInvalidToken) {
		t.Errorf("at the token's expiry: %v, want ErrInvalidToken", err)
	}
}

func TestConcurrentChecksShareOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		v := &validator{f: func(ctx context.Context, token string) (domain.Identity, error) {
			<-answer
			if ctx.Err() != nil {
				return domain.Identity{}, ctx.Err()
			}
			return valid(time.Hour)(ctx, token)
		}}
		a := NewAuthenticator(v, newCache(), 0, func() time.Time { return now })
		first, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := a.Authenticate(first, "token")
			left <- err
		}()
		synctest.Wait()
		const others = 50
		results := make(chan error)
		for range others {
			go func() {
				_, err := a.Authenticate(t.Context(), "token")
				results <- err
			}()
		}
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller who left got %v", err)
		}
		close(answer)
		for range others {
			if err := <-results; err != nil {
				t.Errorf("a caller who stayed got %v", err)
			}
		}
		if v.asked != 1 {
			t.Errorf("asked %d times for %d callers", v.asked, others+1)
		}
	})
}

func TestForget(t *testing.T) {
	v := &validator{f: valid(time.Hour)}
	a := NewAuthenticator(v, newCache(), time.Hour, func() time.Time { return now })
	for range 2 {
		if _, err := a.Authenticate(t.Context(), "token"); err != nil {
			t.Fatal(err)
		}
		a.Forget("token")
	}
	if v.asked != 2 {
		t.Errorf("asked %d times, want again after Forget", v.asked)
	}
}

func TestCheckEndsWithItsLastCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		v := &validator{f: func(ctx context.Context, _ string) (domain.Identity, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return domain.Identity{}, ctx.Err()
		}}
		a := NewAuthenticator(v, newCache(), time.Minute, func() time.Time { return now })
		var leave [2]context.CancelFunc
		left := make(chan error)
		for i := range leave {
			var ctx context.Context
			ctx, leave[i] = context.WithCancel(t.Context())
			go func() {
				_, err := a.Authenticate(ctx, "token")
				left <- err
			}()
		}
		synctest.Wait()
		leave[0]()
		<-left
		synctest.Wait()
		if len(ended) != 0 {
			t.Error("the check ended while a caller waited")
		}
		leave[1]()
		<-left
		<-ended
		if len(a.askings) != 0 {
			t.Errorf("%d checks are remembered", len(a.askings))
		}
		v.f = valid(time.Hour)
		if _, err := a.Authenticate(t.Context(), "token"); err != nil {
			t.Errorf("the next caller got %v", err)
		}
	})
}

// TestForgetDuringACheck: an answer given before a logout must not be remembered after it.
func TestForgetDuringACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		v, c := &validator{f: func(ctx context.Context, token string) (domain.Identity, error) {
			<-answer
			return valid(time.Hour)(ctx, token)
		}}, newCache()
		a := NewAuthenticator(v, c, time.Hour, func() time.Time { return now })
		done := make(chan error)
		go func() {
			_, err := a.Authenticate(t.Context(), "token")
			done <- err
		}()
		synctest.Wait()
		a.Forget("token")
		close(answer)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(c.entries) != 0 {
			t.Error("cached after the logout")
		}
	})
}
