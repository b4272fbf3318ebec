package bcrypt

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"example.com/warren/services/access-control/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testHasher(t *testing.T) *Hasher {
	t.Helper()
	hasher, err := NewHasher(bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return hasher
}

func mustHash(t *testing.T, hasher *Hasher, password string) string {
	t.Helper()
	hash, err := hasher.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestVerify(t *testing.T) {
	hasher := testHasher(t)
	hash := mustHash(t, hasher, "secret")
	longest := strings.Repeat("x", domain.MaxPasswordBytes)
	tests := []struct {
		name, hash, password string
		want                 error
	}{
		{"right", hash, "secret", nil},
		{"wrong", hash, "Secret", domain.ErrInvalidCredentials},
		{"empty", hash, "", domain.ErrInvalidCredentials},
		{"longest", mustHash(t, hasher, longest), longest, nil},
		{"longer than bcrypt reads", mustHash(t, hasher, longest), longest + "y", domain.ErrInvalidCredentials},
		{"repeated after a NUL", hash, "secret\x00secret", domain.ErrInvalidCredentials},
		{"unknown user", "", "secret", domain.ErrInvalidCredentials},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := hasher.Verify(test.hash, test.password); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// TestBcryptReadsLessThanItIsGiven shows why Hasher checks passwords for length and NUL.
func TestBcryptReadsLessThanItIsGiven(t *testing.T) {
	longest := strings.Repeat("x", domain.MaxPasswordBytes)
	for _, pair := range [][2]string{{longest, longest + "y"}, {"secret", "secret\x00secret"}} {
		hash := mustHash(t, testHasher(t), pair[0])
		if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(pair[1])); err != nil {
			t.Errorf("%q: %v: bcrypt now checks this itself", pair, err)
		}
	}
}

// Checking an unknown user takes the same work as checking a known one.
func TestDummyHash(t *testing.T) {
	hasher := testHasher(t)
	cost, err := bcrypt.Cost(hasher.dummy)
	if err != nil {
		t.Fatal(err)
	}
	known, err := bcrypt.Cost([]byte(mustHash(t, hasher, "secret")))
	if err != nil {
		t.Fatal(err)
	}
	if cost != known {
		t.Errorf("cost %d, want %d as for a known user", cost, known)
	}
}

func TestDummyPasswordMatchesNoUser(t *testing.T) {
	hasher := testHasher(t)
	hasher.dummy = []byte(mustHash(t, hasher, "secret"))
	if err := hasher.Verify("", "secret"); !errors.Is(err, domain.ErrInvalidCredentials) {
		t.Errorf("got %v", err)
	}
}

func TestDamagedHash(t *testing.T) {
	err := testHasher(t).Verify("not a hash", "secret")
	if err == nil || errors.Is(err, domain.ErrInvalidCredentials) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestHashHasItsOwnSalt(t *testing.T) {
	hasher := testHasher(t)
	first, second := mustHash(t, hasher, "secret"), mustHash(t, hasher, "secret")
	if first == second {
		t.Error("two hashes of one password are equal")
	}
}

func TestHashRejects(t *testing.T) {
	for _, password := range []string{"", strings.Repeat("x", domain.MaxPasswordBytes+1), "a\x00b"} {
		if _, err := testHasher(t).Hash(password); !errors.Is(err, domain.ErrInvalidPassword) {
			t.Errorf("%q: got %v", password, err)
		}
	}
}

func TestCost(t *testing.T) {
	for _, cost := range []int{-1, bcrypt.MinCost - 1, bcrypt.MaxCost + 1} {
		if _, err := NewHasher(cost); err == nil {
			t.Errorf("%d: accepted", cost)
		}
	}
}

func TestIsOutdated(t *testing.T) {
	hasher := testHasher(t)
	costlier, err := NewHasher(bcrypt.MinCost + 1)
	if err != nil {
		t.Fatal(err)
	}
	hash := mustHash(t, hasher, "secret")
	tests := []struct {
		name   string
		hasher *Hasher
		hash   string
		want   bool
	}{
		{"same cost", hasher, hash, false},
		{"lower cost", costlier, hash, true},
		{"higher cost", hasher, mustHash(t, costlier, "secret"), true},
		{"not a hash", hasher, "not a hash", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.hasher.IsOutdated(test.hash); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
