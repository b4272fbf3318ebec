package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/rpc"
)

// later returns a deadline that no test reaches.
func later() time.Time { return time.Now().Add(time.Hour) }

// cache is an IdentityCache that keeps every entry, and the time to live that each was given.
type cache struct {
	mu      sync.Mutex
	entries map[string]*rpc.Identity
	ttls    []time.Duration
}

func newCache() *cache { return &cache{entries: map[string]*rpc.Identity{}} }

func (c *cache) Get(key string) *rpc.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[key]
}

func (c *cache) Put(key string, identity *rpc.Identity, ttl time.Duration) {
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

// validator returns what f returns, and counts its calls.
type validator struct {
	mu    sync.Mutex
	calls int
	f     func(ctx context.Context, token string) (*rpc.Identity, error)
}

func (v *validator) Validate(ctx context.Context, token string) (*rpc.Identity, error) {
	v.mu.Lock()
	v.calls++
	v.mu.Unlock()
	return v.f(ctx, token)
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const timeout = 5 * time.Second

// newAuthenticator returns an Authenticator whose clock stands at now.
func newAuthenticator(v *validator, c *cache, ttl time.Duration) *Authenticator {
	return NewAuthenticator(v, c, ttl, timeout, func() time.Time { return now })
}

func valid(lifetime time.Duration) func(context.Context, string) (*rpc.Identity, error) {
	return func(_ context.Context, token string) (*rpc.Identity, error) {
		return &rpc.Identity{Subject: "subject of " + token, ExpiresAt: now.Add(lifetime)}, nil
	}
}

func TestAuthenticateCachesTheResult(t *testing.T) {
	tests := map[string]struct {
		ttl, lifetime time.Duration
		wantCalls     int
		wantTTLs      []time.Duration
	}{
		"cached": {ttl: 5 * time.Second, lifetime: time.Hour, wantCalls: 1, wantTTLs: []time.Duration{5 * time.Second}},
		"never past the token's expiry": {
			ttl: 5 * time.Second, lifetime: 2 * time.Second, wantCalls: 1, wantTTLs: []time.Duration{2 * time.Second},
		},
		"turned off: checked every time":             {ttl: 0, lifetime: time.Hour, wantCalls: 3},
		"within the leeway: checked every time":      {ttl: 5 * time.Second, lifetime: -29 * time.Second, wantCalls: 3},
		"at the end of its life: checked every time": {ttl: 5 * time.Second, lifetime: 0, wantCalls: 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, c := &validator{f: valid(test.lifetime)}, newCache()
			a := newAuthenticator(v, c, test.ttl)
			for range 3 {
				identity, err := a.Authenticate(t.Context(), "token", later())
				if err != nil || identity.Subject != "subject of token" {
					t.Fatalf("got %+v, %v", identity, err)
				}
			}
			if v.calls != test.wantCalls {
				t.Errorf("%d calls, want %d", v.calls, test.wantCalls)
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
		f         func(context.Context, string) (*rpc.Identity, error)
		want      error
		wantCalls int
	}{
		"no token":                      {token: "", want: ErrInvalidToken},
		"a huge token, without a check": {token: strings.Repeat("x", rpc.MaxTokenBytes+1), want: ErrInvalidToken},
		"a token that can't be checked": {token: "t", f: func(context.Context, string) (*rpc.Identity, error) {
			return nil, broken
		}, want: broken, wantCalls: 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, c := &validator{f: test.f}, newCache()
			a := newAuthenticator(v, c, time.Minute)
			for range 2 { // a refusal is not cached
				if identity, err := a.Authenticate(t.Context(), test.token, later()); identity != nil || !errors.Is(err, test.want) {
					t.Errorf("got %v, %v, want %v", identity, err, test.want)
				}
			}
			if v.calls != test.wantCalls || len(c.entries) != 0 {
				t.Errorf("%d calls, %d entries cached; want %d and 0", v.calls, len(c.entries), test.wantCalls)
			}
		})
	}
}

// TestAuthenticateDoesNotTrustAnExpiredEntry: the validator decides, which may allow a leeway.
func TestAuthenticateDoesNotTrustAnExpiredEntry(t *testing.T) {
	for _, want := range []error{nil, ErrInvalidToken} {
		clock, answer := now, error(nil)
		v := &validator{f: func(ctx context.Context, token string) (*rpc.Identity, error) {
			if answer != nil {
				return nil, answer
			}
			return valid(time.Hour)(ctx, token)
		}}
		a := NewAuthenticator(v, newCache(), time.Hour, timeout, func() time.Time { return clock })
		if _, err := a.Authenticate(t.Context(), "token", later()); err != nil {
			t.Fatal(err)
		}
		clock, answer = now.Add(time.Hour), want
		if _, err := a.Authenticate(t.Context(), "token", later()); !errors.Is(err, want) || v.calls != 2 {
			t.Errorf("at the token's expiry: %v after %d checks, want %v after 2", err, v.calls, want)
		}
	}
}

// TestConcurrentChecksShareOneCall also when the caller that started the check has gone.
func TestConcurrentChecksShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		v := &validator{f: func(ctx context.Context, token string) (*rpc.Identity, error) {
			<-proceed
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return valid(time.Hour)(ctx, token)
		}}
		a := newAuthenticator(v, newCache(), 0)
		first, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := a.Authenticate(first, "token", later())
			left <- err
		}()
		synctest.Wait()
		const others = 50
		results := make(chan error)
		for range others {
			go func() {
				_, err := a.Authenticate(t.Context(), "token", later())
				results <- err
			}()
		}
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller who left got %v", err)
		}
		close(proceed)
		for range others {
			if err := <-results; err != nil {
				t.Errorf("a caller who stayed got %v", err)
			}
		}
		if v.calls != 1 {
			t.Errorf("%d calls for %d callers", v.calls, others+1)
		}
	})
}

// TestLateCallerChecksAgain: a caller that joins a check shortly before its time limit still gets its own time.
func TestLateCallerChecksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checked atomic.Bool // the second check succeeds
		v := &validator{f: func(ctx context.Context, token string) (*rpc.Identity, error) {
			if checked.Swap(true) {
				return valid(time.Hour)(ctx, token)
			}
			<-ctx.Done()
			return nil, fmt.Errorf("check token: %w", rpc.ErrTimeout)
		}}
		a := newAuthenticator(v, newCache(), time.Minute)
		left := make(chan error)
		go func() {
			_, err := a.Authenticate(t.Context(), "token", later())
			left <- err
		}()
		<-time.After(timeout - time.Millisecond)
		served := make(chan error)
		go func() {
			_, err := a.Authenticate(t.Context(), "token", later())
			served <- err
		}()
		if err := <-left; !errors.Is(err, rpc.ErrTimeout) {
			t.Errorf("the caller that began the check got %v, want ErrTimeout", err)
		}
		if err := <-served; err != nil || v.calls != 2 {
			t.Errorf("the late caller got %v after %d checks, want an identity after 2", err, v.calls)
		}
	})
}

// TestAbandonedCheckEnds: a check that has lost all its callers ends at its time limit, and the next caller is served.
func TestAbandonedCheckEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		v := &validator{f: func(ctx context.Context, _ string) (*rpc.Identity, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}}
		a := newAuthenticator(v, newCache(), time.Minute)
		began := time.Now()
		left := make(chan error)
		var leave [2]context.CancelFunc
		for i := range leave {
			var ctx context.Context
			ctx, leave[i] = context.WithCancel(t.Context())
			go func() {
				_, err := a.Authenticate(ctx, "token", later())
				left <- err
			}()
		}
		synctest.Wait()
		for _, cancel := range leave {
			cancel()
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Errorf("a caller who left got %v", err)
			}
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != timeout {
			t.Errorf("the check ended with %v after %s, want its time limit, %s", err, time.Since(began), timeout)
		}
		synctest.Wait()
		v.f = valid(time.Hour)
		if _, err := a.Authenticate(t.Context(), "token", later()); err != nil {
			t.Errorf("the next caller got %v", err)
		}
	})
}

func TestForget(t *testing.T) {
	v := &validator{f: valid(time.Hour)}
	a := newAuthenticator(v, newCache(), time.Hour)
	for range 2 {
		if _, err := a.Authenticate(t.Context(), "token", later()); err != nil {
			t.Fatal(err)
		}
		a.Forget("token")
	}
	if v.calls != 2 {
		t.Errorf("%d calls, want another one after Forget", v.calls)
	}
}

// TestForgetDuringACheck: the result of a check that began before a logout is neither cached nor given to a caller that
// came after it.
func TestForgetDuringACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		v, c := &validator{f: func(ctx context.Context, token string) (*rpc.Identity, error) {
			<-proceed
			return valid(time.Hour)(ctx, token)
		}}, newCache()
		a := newAuthenticator(v, c, time.Hour)
		older := make(chan error)
		go func() {
			_, err := a.Authenticate(t.Context(), "token", later())
			older <- err
		}()
		synctest.Wait()
		a.Forget("token")
		v.f = func(context.Context, string) (*rpc.Identity, error) { return nil, ErrInvalidToken }
		if _, err := a.Authenticate(t.Context(), "token", later()); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("after the logout: %v, want ErrInvalidToken", err)
		}
		close(proceed)
		if err := <-older; err != nil {
			t.Error(err)
		}
		if len(c.entries) != 0 {
			t.Error("cached after the logout")
		}
	})
}
