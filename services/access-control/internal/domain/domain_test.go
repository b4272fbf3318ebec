package domain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestValidateUsername(t *testing.T) {
	tests := []struct {
		username string
		ok       bool
	}{
		{"a", true},
		{"Ann.Smith_2+test@example-1.org", true},
		{strings.Repeat("a", MaxUsernameBytes), true},
		{"", false},
		{strings.Repeat("a", MaxUsernameBytes+1), false},
		{"ann smith", false},
		{" ann", false},
		{"ann\n", false},
		{"ann\x00", false},
		{"аnn", false}, // with a Cyrillic letter
		{"ann\xff", false},
		{"<ann>", false},
	}
	for _, test := range tests {
		err := ValidateUsername(test.username)
		if test.ok && err != nil || !test.ok && !errors.Is(err, ErrInvalidUser) {
			t.Errorf("%q: got %v", test.username, err)
		}
	}
}

func TestValidatePassword(t *testing.T) {
	tests := []struct {
		password string
		ok       bool
	}{
		{"x", true},
		{"päss wörd\n", true},
		{strings.Repeat("x", MaxPasswordBytes), true},
		{"", false},
		{strings.Repeat("x", MaxPasswordBytes+1), false},
		{strings.Repeat("ü", MaxPasswordBytes/2+1), false}, // fewer characters than bytes
		{"a\x00a", false},
	}
	for _, test := range tests {
		err := ValidatePassword(test.password)
		if test.ok && err != nil || !test.ok && !errors.Is(err, ErrInvalidPassword) {
			t.Errorf("%q: got %v", test.password, err)
		}
		if err != nil && len(test.password) > 1 && strings.Contains(err.Error(), test.password) {
			t.Errorf("%q: the error contains the password: %v", test.password, err)
		}
	}
}

func TestValidateNewPassword(t *testing.T) {
	tests := []struct {
		password string
		ok       bool
	}{
		{"12345678", true},
		{"pässwört", true}, // 8 characters in 10 bytes
		{"日本語日本語日本", true},
		{strings.Repeat("x", MaxPasswordBytes), true},
		{"", false},
		{"x", false},
		{"demo", false},
		{"1234567", false},
		{"日本語日本", false}, // 5 characters in 15 bytes
		{"1234567\x00", false},
		{strings.Repeat("x", MaxPasswordBytes+1), false},
	}
	for _, test := range tests {
		err := ValidateNewPassword(test.password)
		if test.ok && err != nil || !test.ok && !errors.Is(err, ErrInvalidPassword) {
			t.Errorf("%q: got %v", test.password, err)
		}
	}
}

func TestNewUser(t *testing.T) {
	got, err := NewUser("user-1", "ann", "hash", []string{"b:write", "a:read", "b:write"}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := User{ID: "user-1", Username: "ann", PasswordHash: "hash", Scopes: []string{"a:read", "b:write"}, CreatedAt: now}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewUserRejects(t *testing.T) {
	tests := []struct {
		name, id, username, hash string
		scopes                   []string
	}{
		{"no id", "", "ann", "hash", nil},
		{"no hash", "user-1", "ann", "", nil},
		{"bad name", "user-1", "a b", "hash", nil},
		{"empty scope", "user-1", "ann", "hash", []string{"a", ""}},
		{"two scopes in one", "user-1", "ann", "hash", []string{"a b"}},
		{"scope with a quote", "user-1", "ann", "hash", []string{`a"b`}},
		{"scope with a backslash", "user-1", "ann", "hash", []string{`a\b`}},
		{"scope outside of ASCII", "user-1", "ann", "hash", []string{"ä"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewUser(test.id, test.username, test.hash, test.scopes, now)
			if !errors.Is(err, ErrInvalidUser) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNewClaims(t *testing.T) {
	user := User{ID: "user-1", Username: "ann", Scopes: []string{"orders:read"}}
	got := NewClaims("token-1", user, now.Add(900*time.Millisecond).In(time.FixedZone("", 3600)), 15*time.Minute)
	want := Claims{
		TokenID: "token-1", Subject: "user-1", Username: "ann", Scopes: []string{"orders:read"},
		IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A token is valid until its expiry and the leeway. It must stay revoked until then.
func TestRevocationOutlivesTheToken(t *testing.T) {
	got, err := NewRevocation("token-1", now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Revocation{TokenID: "token-1", Until: now.Add(MaxLeeway)}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewRevocationRejects(t *testing.T) {
	if _, err := NewRevocation("", now); !errors.Is(err, ErrTokenInvalid) {
		t.Errorf("no id: got %v", err)
	}
	if _, err := NewRevocation("token-1", time.Time{}); !errors.Is(err, ErrTokenInvalid) {
		t.Errorf("no expiry: got %v", err)
	}
}
