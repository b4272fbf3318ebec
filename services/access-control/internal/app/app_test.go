package app

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/services/access-control/internal/domain"
)

const lifetime = 15 * time.Minute

func ann() domain.User {
	return domain.User{
		ID: "user-1", Username: "ann", PasswordHash: "hash of secret", Scopes: []string{"orders:read"}, CreatedAt: now,
	}
}

func TestValidateToken(t *testing.T) {
	tokens, revocations := newFakeTokens(), newFakeRevocations()
	validateToken := NewValidateToken(tokens, revocations)
	claims := domain.NewClaims("token-1", ann(), now, lifetime)
	token, err := tokens.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}

	got, err := validateToken.Execute(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claims, got); diff != "" {
		t.Error(diff)
	}
	if _, err := validateToken.Execute(t.Context(), "another"); !errors.Is(err, domain.ErrTokenInvalid) {
		t.Errorf("got %v", err)
	}
	if err := NewLogout(revocations).Execute(t.Context(), claims.TokenID, claims.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	if got, err := validateToken.Execute(t.Context(), token); !errors.Is(err, domain.ErrTokenRevoked) || got.Subject != "" {
		t.Errorf("after the logout: %+v, %v", got, err)
	}
}

// A token must not pass because the revocations can't be read.
func TestValidateTokenFailsClosed(t *testing.T) {
	tokens := newFakeTokens()
	token, err := tokens.Sign(domain.NewClaims("token-1", ann(), now, lifetime))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := NewValidateToken(tokens, &fakeRevocations{err: errBroken}).Execute(t.Context(), token)
	if !errors.Is(err, errBroken) || claims.Subject != "" {
		t.Errorf("got %+v, %v", claims, err)
	}
}

func TestLogout(t *testing.T) {
	revocations := newFakeRevocations()
	logout := NewLogout(revocations)
	if err := logout.Execute(t.Context(), "token-1", now); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Time{"token-1": now.Add(domain.MaxLeeway)}
	if diff := cmp.Diff(want, revocations.until); diff != "" {
		t.Error(diff)
	}
	if err := logout.Execute(t.Context(), "", now); !errors.Is(err, domain.ErrTokenInvalid) {
		t.Errorf("no token: got %v", err)
	}
	revocations.err = errBroken
	if err := logout.Execute(t.Context(), "token-1", now); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestRegister(t *testing.T) {
	users := newFakeUsers()
	register := NewRegister(users, &fakePasswords{}, clock)
	in := Registration{ID: "user-1", Username: "ann", Password: "secret", Scopes: []string{"orders:read"}}
	if err := register.Execute(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]domain.User{"ann": ann()}, users.users); diff != "" {
		t.Error(diff)
	}
}

func TestRegisterRefuses(t *testing.T) {
	good := Registration{ID: "user-2", Username: "bob", Password: "secret"}
	tests := []struct {
		name   string
		change func(*Registration)
		want   error
	}{
		{"taken", func(r *Registration) { r.Username = "ann" }, domain.ErrUsernameTaken},
		{"bad name", func(r *Registration) { r.Username = "b b" }, domain.ErrInvalidUser},
		{"bad scope", func(r *Registration) { r.Scopes = []string{"a b"} }, domain.ErrInvalidUser},
		{"bad password", func(r *Registration) { r.Password = "" }, domain.ErrInvalidPassword},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			users := newFakeUsers(ann())
			in := good
			test.change(&in)
			if err := NewRegister(users, &fakePasswords{}, clock).Execute(t.Context(), in); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if diff := cmp.Diff(map[string]domain.User{"ann": ann()}, users.users); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRegisterFails(t *testing.T) {
	in := Registration{ID: "user-1", Username: "ann", Password: "secret"}
	err := NewRegister(&fakeUsers{err: errBroken}, &fakePasswords{}, clock).Execute(t.Context(), in)
	if !errors.Is(err, errBroken) {
		t.Errorf("users: got %v", err)
	}
	err = NewRegister(newFakeUsers(), &fakePasswords{err: errBroken}, clock).Execute(t.Context(), in)
	if !errors.Is(err, errBroken) {
		t.Errorf("passwords: got %v", err)
	}
}

// Services that seed their users at each start would otherwise start slowly.
func TestRegisterOfTakenNameHashesNothing(t *testing.T) {
	passwords := &fakePasswords{}
	err := NewRegister(newFakeUsers(ann()), passwords, clock).Execute(t.Context(), Registration{
		ID: "user-2", Username: "ann", Password: "secret",
	})
	if !errors.Is(err, domain.ErrUsernameTaken) || passwords.hashed != 0 {
		t.Errorf("got %v after %d hashes", err, passwords.hashed)
	}
}
