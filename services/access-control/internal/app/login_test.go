package app

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/services/access-control/internal/domain"
)

var address = netip.MustParseAddr("192.0.2.7")

func TestLogin(t *testing.T) {
	tokens := newFakeTokens()
	access := newAccessControl(Ports{Users: newFakeUsers(ann()), Tokens: tokens})
	got, err := access.Login(t.Context(), "ann", "secret", address)
	if err != nil {
		t.Fatal(err)
	}
	if got.Lifetime != lifetime {
		t.Errorf("lifetime %s", got.Lifetime)
	}
	claims := tokens.claims[got.Token]
	want := domain.Claims{
		TokenID: claims.TokenID, Subject: "user-1", Username: "ann", Scopes: []string{"orders:read"},
		IssuedAt: now, ExpiresAt: now.Add(lifetime),
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Error(diff)
	}
}

func TestLoginsHaveTheirOwnTokenID(t *testing.T) {
	tokens := newFakeTokens()
	access := newAccessControl(Ports{Users: newFakeUsers(ann()), Tokens: tokens})
	for range 100 {
		if _, err := access.Login(t.Context(), "ann", "secret", address); err != nil {
			t.Fatal(err)
		}
	}
	if len(tokens.claims) != 100 {
		t.Errorf("%d token ids for 100 tokens", len(tokens.claims))
	}
}

// A known and an unknown user cost the same work and get the same errors, up to the limit and past it.
func TestLoginTellsNothingOfTheUser(t *testing.T) {
	const failures = 3
	try := func(username string) (verified int, texts []string) {
		passwords, limiter := &fakePasswords{}, &fakeLimiter{failures: failures}
		access := newAccessControl(Ports{Limiter: limiter, Users: newFakeUsers(ann()), Passwords: passwords})
		for i := range failures + 2 {
			_, err := access.Login(t.Context(), username, "wrong", address)
			_, limited := errors.AsType[*domain.TooManyLoginsError](err)
			if limited != (i >= failures) || errors.Is(err, domain.ErrInvalidCredentials) == limited {
				t.Fatalf("%s, attempt %d: got %v", username, i, err)
			}
			texts = append(texts, err.Error())
		}
		if want := slices.Repeat([]attempt{{username, address}}, failures); !slices.Equal(limiter.begun, want) {
			t.Errorf("the limiter counted %v", limiter.begun)
		}
		return len(passwords.verified), texts
	}
	known, textsForKnown := try("ann")
	unknown, textsForUnknown := try("bob")
	if known != failures || unknown != failures {
		t.Errorf("%d checks for a known user, %d for an unknown one, want %d", known, unknown, failures)
	}
	if diff := cmp.Diff(textsForKnown, textsForUnknown); diff != "" {
		t.Errorf("the errors differ: %s", diff)
	}
}

// Past the limit not even the right password is checked: the reply would be a free guess.
func TestLoginPastTheLimitChecksNothing(t *testing.T) {
	passwords := &fakePasswords{}
	access := newAccessControl(Ports{Limiter: &fakeLimiter{}, Users: newFakeUsers(ann()), Passwords: passwords})
	token, err := access.Login(t.Context(), "ann", "secret", address)
	limited, ok := errors.AsType[*domain.TooManyLoginsError](err)
	if !ok || limited.RetryAfter != time.Minute || token.Token != "" {
		t.Errorf("got %v, %v", token, err)
	}
	if len(passwords.verified) != 0 {
		t.Errorf("verified %q", passwords.verified)
	}
}

func TestLoginFails(t *testing.T) {
	tests := []struct {
		name      string
		users     *fakeUsers
		passwords *fakePasswords
		tokens    *fakeTokens
	}{
		{"users", &fakeUsers{err: errBroken}, &fakePasswords{}, newFakeTokens()},
		{"passwords", newFakeUsers(ann()), &fakePasswords{err: errBroken}, newFakeTokens()},
		{"tokens", newFakeUsers(ann()), &fakePasswords{}, &fakeTokens{claims: map[string]domain.Claims{}, err: errBroken}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			limiter := newFakeLimiter()
			access := newAccessControl(Ports{Limiter: limiter, Users: test.users, Passwords: test.passwords, Tokens: test.tokens})
			token, err := access.Login(t.Context(), "ann", "secret", address)
			if !errors.Is(err, errBroken) || errors.Is(err, domain.ErrInvalidCredentials) {
				t.Errorf("got %v", err)
			}
			if token.Token != "" {
				t.Error("got a token and an error")
			}
			if !slices.Equal(limiter.ended, []bool{false}) {
				t.Errorf("ended as failed: %v: no password was wrong", limiter.ended)
			}
		})
	}
}

func TestLoginEndsItsAttempt(t *testing.T) {
	limiter := newFakeLimiter()
	access := newAccessControl(Ports{Limiter: limiter, Users: newFakeUsers(ann())})
	for _, password := range []string{"wrong", "secret"} {
		if _, err := access.Login(t.Context(), "ann", password, address); (err != nil) != (password == "wrong") {
			t.Errorf("%s: got %v", password, err)
		}
	}
	if !slices.Equal(limiter.ended, []bool{true, false}) {
		t.Errorf("ended as failed: %v", limiter.ended)
	}
}

func TestLoginRenewsOutdatedHash(t *testing.T) {
	tests := []struct {
		name, password           string
		outdated                 string
		hashErr, replaceErr, err error
		hashed                   int
		want                     string
		warned                   bool
	}{
		{name: "outdated", password: "secret", outdated: "old hash of secret", hashed: 1, want: "hash of secret"},
		{name: "current", password: "secret", want: "old hash of secret"},
		{
			name: "wrong password", password: "wrong", outdated: "old hash of secret",
			want: "old hash of secret", err: domain.ErrInvalidCredentials,
		},
		{
			name: "not stored", password: "secret", outdated: "old hash of secret", replaceErr: errBroken,
			hashed: 1, want: "old hash of secret", warned: true,
		},
		{
			name: "not hashed", password: "secret", outdated: "old hash of secret", hashErr: errBroken,
			hashed: 1, want: "old hash of secret", warned: true,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			user := ann()
			user.PasswordHash = "old hash of secret"
			users := newFakeUsers(user)
			users.replaceErr = test.replaceErr
			passwords := &fakePasswords{outdated: test.outdated, hashErr: test.hashErr}
			var log bytes.Buffer
			access := newAccessControl(Ports{Users: users, Passwords: passwords, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			token, err := access.Login(t.Context(), "ann", test.password, address)
			if !errors.Is(err, test.err) || (token.Token != "") != (test.err == nil) {
				t.Errorf("got %v, %v", token, err)
			}
			if got := users.users["ann"].PasswordHash; got != test.want || passwords.hashed != test.hashed {
				t.Errorf("%q after %d hashes, want %q after %d", got, passwords.hashed, test.want, test.hashed)
			}
			lines := strings.Count(log.String(), "\n")
			if (lines == 1) != test.warned || lines > 1 || strings.Contains(log.String(), "hash of") {
				t.Errorf("logged %q", log.String())
			}
		})
	}
}
