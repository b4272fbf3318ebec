package app

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/services/access-control/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	now       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errBroken = errors.New("broken")
)

const lifetime = 15 * time.Minute

// newAccessControl returns the use cases over ports, with a fake for each port that is not set.
func newAccessControl(ports Ports) *AccessControl {
	if ports.Users == nil {
		ports.Users = newFakeUsers()
	}
	if ports.Revocations == nil {
		ports.Revocations = newFakeRevocations()
	}
	if ports.Passwords == nil {
		ports.Passwords = &fakePasswords{}
	}
	if ports.Limiter == nil {
		ports.Limiter = newFakeLimiter()
	}
	if ports.Tokens == nil {
		ports.Tokens = newFakeTokens()
	}
	if ports.Logger == nil {
		ports.Logger = slog.New(slog.DiscardHandler)
	}
	ports.Now = func() time.Time { return now }
	return NewAccessControl(ports, lifetime)
}

func ann() domain.User {
	return domain.User{
		ID: "user-1", Username: "ann", PasswordHash: "hash of secret", Scopes: []string{"orders:read"}, CreatedAt: now,
	}
}

// fakeLimiter admits a number of failing attempts, of any user, and records the attempts.
type fakeLimiter struct {
	failures int
	begun    []attempt
	ended    []bool
}

type attempt struct {
	username string
	address  netip.Addr
}

func newFakeLimiter() *fakeLimiter { return &fakeLimiter{failures: 10} }

func (f *fakeLimiter) Begin(_ context.Context, username string, address netip.Addr) (end func(failed bool), err error) {
	if f.failures == 0 {
		return nil, &domain.TooManyLoginsError{RetryAfter: time.Minute}
	}
	f.failures--
	f.begun = append(f.begun, attempt{username, address})
	return func(failed bool) {
		f.ended = append(f.ended, failed)
		if !failed {
			f.failures++
		}
	}, nil
}

// fakeUsers keeps users by name.
type fakeUsers struct {
	users      map[string]domain.User
	err        error
	replaceErr error
}

func newFakeUsers(users ...domain.User) *fakeUsers {
	f := &fakeUsers{users: map[string]domain.User{}}
	for _, user := range users {
		f.users[user.Username] = user
	}
	return f
}

func (f *fakeUsers) UserByName(_ context.Context, username string) (domain.User, error) {
	if f.err != nil {
		return domain.User{}, f.err
	}
	user, ok := f.users[username]
	if !ok {
		return domain.User{}, domain.ErrUserNotFound
	}
	return user, nil
}

func (f *fakeUsers) AddUser(_ context.Context, user domain.User) error {
	if _, ok := f.users[user.Username]; ok {
		return domain.ErrUsernameTaken
	}
	f.users[user.Username] = user
	return nil
}

func (f *fakeUsers) ReplacePasswordHash(_ context.Context, userID, current, replacement string) error {
	for name, user := range f.users {
		if user.ID == userID && user.PasswordHash == current && f.replaceErr == nil {
			user.PasswordHash = replacement
			f.users[name] = user
		}
	}
	return f.replaceErr
}

// fakePasswords hashes "x" to "hash of x", and records the hashes that it verifies.
type fakePasswords struct {
	hashed   int
	verified []string
	outdated string // the one outdated hash
	err      error
	hashErr  error
}

func (f *fakePasswords) Hash(password string) (string, error) {
	f.hashed++
	return "hash of " + password, errors.Join(f.err, f.hashErr)
}

func (f *fakePasswords) Verify(hash, password string) error {
	f.verified = append(f.verified, hash)
	if f.err != nil {
		return f.err
	}
	if hash != "hash of "+password && hash != "old hash of "+password {
		return domain.ErrInvalidCredentials
	}
	return nil
}

func (f *fakePasswords) IsOutdated(hash string) bool { return hash == f.outdated }

// fakeTokens signs claims as "token <id>", and records them.
type fakeTokens struct {
	claims map[string]domain.Claims
	err    error
}

func newFakeTokens() *fakeTokens { return &fakeTokens{claims: map[string]domain.Claims{}} }

func (f *fakeTokens) Sign(claims domain.Claims) (string, error) {
	token := "token " + claims.TokenID
	f.claims[token] = claims
	return token, f.err
}

func (f *fakeTokens) Verify(_ context.Context, token string) (domain.Claims, error) {
	claims, ok := f.claims[token]
	if !ok {
		return domain.Claims{}, domain.ErrTokenInvalid
	}
	return claims, f.err
}

type fakeRevocations struct {
	until map[string]time.Time
	err   error
}

func newFakeRevocations() *fakeRevocations { return &fakeRevocations{until: map[string]time.Time{}} }

func (f *fakeRevocations) Revoke(_ context.Context, r domain.Revocation) error {
	f.until[r.TokenID] = r.Until
	return f.err
}

func (f *fakeRevocations) IsRevoked(_ context.Context, tokenID string) (bool, error) {
	_, revoked := f.until[tokenID]
	return revoked, f.err
}
