package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"example.com/warren/pkg/sqlite/sqlitetest"
	"example.com/warren/services/access-control/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

func open(t testing.TB, path string, now func() time.Time) *Store {
	t.Helper()
	store := NewStore(path, now)
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func testStore(t testing.TB, now func() time.Time) *Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "test.db"), now)
}

func testUser() domain.User {
	return domain.User{
		ID: "user-1", Username: "ann", PasswordHash: "hash", Scopes: []string{"orders:read", "orders:write"}, CreatedAt: now,
	}
}

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestMigrations(t *testing.T) { sqlitetest.Migrations(t, migrations) }

func TestUserByName(t *testing.T) {
	users := testStore(t, clock)
	if err := users.AddUser(t.Context(), testUser()); err != nil {
		t.Fatal(err)
	}
	bob := domain.User{ID: "user-2", Username: "bob", PasswordHash: "another", CreatedAt: now}
	if err := users.AddUser(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	got, err := users.UserByName(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	bob.Scopes = []string{}
	if diff := cmp.Diff(bob, got); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"", "carol", "ANN", "ann ", "ann\x00", "' OR '1'='1"} {
		if _, err := users.UserByName(t.Context(), name); !errors.Is(err, domain.ErrUserNotFound) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestAddUserTwice(t *testing.T) {
	users := testStore(t, clock)
	if err := users.AddUser(t.Context(), testUser()); err != nil {
		t.Fatal(err)
	}
	same := testUser()
	same.ID, same.PasswordHash = "user-2", "stolen"
	if err := users.AddUser(t.Context(), same); !errors.Is(err, domain.ErrUsernameTaken) {
		t.Errorf("the same name: got %v", err)
	}
	same = testUser()
	same.Username = "bob"
	if err := users.AddUser(t.Context(), same); err == nil || errors.Is(err, domain.ErrUsernameTaken) {
		t.Errorf("the same ID: got %v", err)
	}
	got, err := users.UserByName(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testUser(), got); diff != "" {
		t.Error(diff)
	}
}

func TestReplacePasswordHash(t *testing.T) {
	users := testStore(t, clock)
	if err := users.AddUser(t.Context(), testUser()); err != nil {
		t.Fatal(err)
	}
	bob := domain.User{ID: "user-2", Username: "bob", PasswordHash: "hash", Scopes: []string{}, CreatedAt: now}
	if err := users.AddUser(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	want := testUser()
	tests := []struct{ name, id, current, replacement, want string }{
		{"current", "user-1", "hash", "second", "second"},
		{"already replaced", "user-1", "hash", "third", "second"},
		{"unknown user", "user-3", "second", "third", "second"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := users.ReplacePasswordHash(t.Context(), test.id, test.current, test.replacement); err != nil {
				t.Fatal(err)
			}
			want.PasswordHash = test.want
			for _, want := range []domain.User{want, bob} {
				got, err := users.UserByName(t.Context(), want.Username)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	revocations := testStore(t, clock)
	for range 2 { // Revoke is idempotent
		err := revocations.Revoke(t.Context(), domain.Revocation{TokenID: "token-1", Until: now.Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]bool{"token-1": true, "token-2": false, "": false} {
		got, err := revocations.IsRevoked(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q: got %t", id, got)
		}
	}
}

func TestOldRevocationsAreDeleted(t *testing.T) {
	at := now
	revocations := testStore(t, func() time.Time { return at })
	until := now.Add(time.Minute + 900*time.Millisecond)
	revoke := func(id string, until time.Time) {
		t.Helper()
		if err := revocations.Revoke(t.Context(), domain.Revocation{TokenID: id, Until: until}); err != nil {
			t.Fatal(err)
		}
	}
	revoke("token-1", until)
	tests := []struct {
		at   time.Time
		want bool
	}{
		{until.Add(-time.Millisecond), true},
		{until, true},
		{until.Add(time.Second), false},
	}
	for i, test := range tests {
		at = test.at
		revoke("another", until.Add(time.Hour))
		got, err := revocations.IsRevoked(t.Context(), "token-1")
		if err != nil {
			t.Fatal(err)
		}
		if got != test.want {
			t.Errorf("%d: got %t", i, got)
		}
	}
}

func TestRevocationIsNeverShortened(t *testing.T) {
	at := now
	revocations := testStore(t, func() time.Time { return at })
	for _, lifetime := range []time.Duration{time.Hour, time.Minute} {
		err := revocations.Revoke(t.Context(), domain.Revocation{TokenID: "token-1", Until: now.Add(lifetime)})
		if err != nil {
			t.Fatal(err)
		}
	}
	at = now.Add(30 * time.Minute)
	if err := revocations.Revoke(t.Context(), domain.Revocation{TokenID: "another", Until: at}); err != nil {
		t.Fatal(err)
	}
	if revoked, err := revocations.IsRevoked(t.Context(), "token-1"); err != nil || !revoked {
		t.Errorf("got %t, %v", revoked, err)
	}
}

// Concurrent reads and writes, of several processes, must wait for each other instead of failing.
func TestConcurrentUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	replicas := []*Store{open(t, path, clock), open(t, path, clock)}
	var group errgroup.Group
	for i := range 16 {
		revocations := replicas[i%len(replicas)]
		group.Go(func() error {
			for j := range 20 {
				id := string(rune('a'+i)) + string(rune('a'+j))
				if err := revocations.Revoke(t.Context(), domain.Revocation{TokenID: id, Until: now.Add(time.Hour)}); err != nil {
					return err
				}
				revoked, err := revocations.IsRevoked(t.Context(), id)
				if err != nil {
					return err
				}
				if !revoked {
					return errors.New(id + " is not revoked")
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestContextIsHonoured(t *testing.T) {
	store := testStore(t, clock)
	ctx := cancelled(t)
	_, byName := store.UserByName(ctx, "ann")
	_, isRevoked := store.IsRevoked(ctx, "token-1")
	for name, err := range map[string]error{
		"UserByName":          byName,
		"AddUser":             store.AddUser(ctx, testUser()),
		"ReplacePasswordHash": store.ReplacePasswordHash(ctx, "user-1", "hash", "another"),
		"Revoke":              store.Revoke(ctx, domain.Revocation{TokenID: "token-1", Until: now}),
		"IsRevoked":           isRevoked,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func BenchmarkIsRevoked(b *testing.B) {
	store := testStore(b, clock)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.IsRevoked(b.Context(), "token"); err != nil {
			b.Fatal(err)
		}
	}
}
