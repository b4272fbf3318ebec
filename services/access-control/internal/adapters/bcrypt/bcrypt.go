// Package bcrypt hashes passwords with bcrypt.
package bcrypt

import (
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"

	"example.com/warren/services/access-control/internal/domain"
)

// Hasher is an app.PasswordHasher.
type Hasher struct {
	cost  int
	dummy []byte // the hash of a password that nobody knows
}

// NewHasher returns a Hasher whose hashes cost 2^cost rounds: 12 takes about a quarter of a second. An error if bcrypt
// knows no such cost.
func NewHasher(cost int) (*Hasher, error) {
	// The library would take another cost than the one asked for.
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return nil, fmt.Errorf("bcrypt cost %d: from %d to %d are possible", cost, bcrypt.MinCost, bcrypt.MaxCost)
	}
	dummy, err := bcrypt.GenerateFromPassword([]byte(rand.Text()), cost)
	if err != nil {
		return nil, fmt.Errorf("hash the dummy password: %w", err)
	}
	return &Hasher{cost: cost, dummy: dummy}, nil
}

// Hash returns a hash with a salt of its own, or domain.ErrInvalidPassword.
func (h *Hasher) Hash(password string) (string, error) {
	if err := domain.ValidatePassword(password); err != nil {
		return "", err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return string(hash), nil
}

// IsOutdated implements app.PasswordHasher: the time that a check takes depends on the hash's cost alone.
func (h *Hasher) IsOutdated(hash string) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	return err != nil || cost != h.cost
}

// Verify implements app.PasswordHasher.
func (h *Hasher) Verify(hash, password string) error {
	// bcrypt would compare the first 72 bytes of a longer password and be satisfied.
	if err := domain.ValidatePassword(password); err != nil {
		return domain.ErrInvalidCredentials
	}
	known := []byte(hash)
	if hash == "" {
		known = h.dummy
	}
	err := bcrypt.CompareHashAndPassword(known, []byte(password))
	switch {
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword), err == nil && hash == "":
		return domain.ErrInvalidCredentials
	case err != nil:
		return fmt.Errorf("verify password: %w", err)
	}
	return nil
}
