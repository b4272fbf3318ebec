package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/services/access-control/internal/domain"
)

func TestValidateToken(t *testing.T) {
	tokens := newFakeTokens()
	access := newAccessControl(Ports{Tokens: tokens})
	claims := domain.NewClaims("token-1", ann(), now, lifetime)
	token, err := tokens.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}

	got, err := access.ValidateToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claims, got); diff != "" {
		t.Error(diff)
	}
	if _, err := access.ValidateToken(t.Context(), "another"); !errors.Is(err, domain.ErrTokenInvalid) {
		t.Errorf("got %v", err)
	}
	if err := access.Logout(t.Context(), claims.TokenID, claims.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	if got, err := access.ValidateToken(t.Context(), token); !errors.Is(err, domain.ErrTokenRevoked) || got.Subject != "" {
		t.Errorf("after the logout: %+v, %v", got, err)
	}
}

// A token is not valid while the revocations can't be read.
func TestValidateTokenFailsClosed(t *testing.T) {
	tokens := newFakeTokens()
	token, err := tokens.Sign(domain.NewClaims("token-1", ann(), now, lifetime))
	if err != nil {
		t.Fatal(err)
	}
	access := newAccessControl(Ports{Tokens: tokens, Revocations: &fakeRevocations{err: errBroken}})
	claims, err := access.ValidateToken(t.Context(), token)
	if !errors.Is(err, errBroken) || claims.Subject != "" {
		t.Errorf("got %+v, %v", claims, err)
	}
}

func TestLogout(t *testing.T) {
	revocations := newFakeRevocations()
	access := newAccessControl(Ports{Revocations: revocations})
	if err := access.Logout(t.Context(), "token-1", now); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Time{"token-1": now.Add(domain.MaxLeeway)}
	if diff := cmp.Diff(want, revocations.until); diff != "" {
		t.Error(diff)
	}
	if err := access.Logout(t.Context(), "", now); !errors.Is(err, domain.ErrTokenInvalid) {
		t.Errorf("no token: got %v", err)
	}
	revocations.err = errBroken
	if err := access.Logout(t.Context(), "token-1", now); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestRegister(t *testing.T) {
	users := newFakeUsers()
	access := newAccessControl(Ports{Users: users})
	in := Registration{ID: "user-1", Username: "ann", Password: "long secret", Scopes: []string{"orders:read"}}
	if err := access.Register(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	want := ann()
	want.PasswordHash = "hash of long secret"
	if diff := cmp.Diff(map[string]domain.User{"ann": want}, users.users); diff != "" {
		t.Error(diff)
	}
}

// The demo's passwords are shorter than those that users may choose.
func TestRegisterDemoUser(t *testing.T) {
	users := newFakeUsers()
	access := newAccessControl(Ports{Users: users})
	in := Registration{ID: "user-1", Username: "ann", Password: "secret", Scopes: []string{"orders:read"}, Demo: true}
	if err := access.Register(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]domain.User{"ann": ann()}, users.users); diff != "" {
		t.Error(diff)
	}
}

func TestRegisterRefuses(t *testing.T) {
	good := Registration{ID: "user-2", Username: "bob", Password: "long secret"}
	tests := []struct {
		name   string
		change func(*Registration)
		want   error
	}{
		{"taken", func(r *Registration) { r.Username = "ann" }, domain.ErrUsernameTaken},
		{"bad name", func(r *Registration) { r.Username = "b b" }, domain.ErrInvalidUser},
		{"bad scope", func(r *Registration) { r.Scopes = []string{"a b"} }, domain.ErrInvalidUser},
		{"no password", func(r *Registration) { r.Password = "" }, domain.ErrInvalidPassword},
		{"short password", func(r *Registration) { r.Password = "1234567" }, domain.ErrInvalidPassword},
		{"long password", func(r *Registration) { r.Password = strings.Repeat("x", domain.MaxPasswordBytes+1) }, domain.ErrInvalidPassword},
		{"no password in the demo", func(r *Registration) { r.Password, r.Demo = "", true }, domain.ErrInvalidPassword},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			users := newFakeUsers(ann())
			in := good
			test.change(&in)
			if err := newAccessControl(Ports{Users: users}).Register(t.Context(), in); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if diff := cmp.Diff(map[string]domain.User{"ann": ann()}, users.users); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRegisterFails(t *testing.T) {
	in := Registration{ID: "user-1", Username: "ann", Password: "long secret"}
	err := newAccessControl(Ports{Users: &fakeUsers{err: errBroken}}).Register(t.Context(), in)
	if !errors.Is(err, errBroken) {
		t.Errorf("users: got %v", err)
	}
	err = newAccessControl(Ports{Passwords: &fakePasswords{err: errBroken}}).Register(t.Context(), in)
	if !errors.Is(err, errBroken) {
		t.Errorf("passwords: got %v", err)
	}
}

// A service that adds its demo users at each start would start slowly otherwise.
func TestRegisterOfTakenNameHashesNothing(t *testing.T) {
	passwords := &fakePasswords{}
	access := newAccessControl(Ports{Users: newFakeUsers(ann()), Passwords: passwords})
	err := access.Register(t.Context(), Registration{ID: "user-2", Username: "ann", Password: "long secret"})
	if !errors.Is(err, domain.ErrUsernameTaken) || passwords.hashed != 0 {
		t.Errorf("got %v after %d hashes", err, passwords.hashed)
	}
}
