// Package bcrypt hashes passwords with bcrypt.
package bcrypt

import (
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"

	"example.com/warren/services/access-control/internal/domain"
)

// Hasher implements app.PasswordHasher.
type Hasher struct {
	cost  int
	dummy []byte // the hash of a random password, which stands in for unknown users
}

// NewHasher returns a Hasher whose hashes take 2^cost rounds. A cost of 12 takes about a quarter of a second.
func NewHasher(cost int) (*Hasher, error) {
	// The library silently replaces a cost that is too low.
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return nil, fmt.Errorf("bcrypt cost %d is not in %d to %d", cost, bcrypt.MinCost, bcrypt.MaxCost)
	}
	dummy, err := bcrypt.GenerateFromPassword([]byte(rand.Text()), cost)
	if err != nil {
		return nil, fmt.Errorf("hash the dummy password: %w", err)
	}
	return &Hasher{cost: cost, dummy: dummy}, nil
}

// Hash implements app.PasswordHasher. It returns domain.ErrInvalidPassword for a password that bcrypt would truncate.
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

// IsOutdated implements app.PasswordHasher. The time of a check depends only on the cost of the hash.
func (h *Hasher) IsOutdated(hash string) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	return err != nil || cost != h.cost
}

// Verify implements app.PasswordHasher.
func (h *Hasher) Verify(hash, password string) error {
	// bcrypt compares only the first 72 bytes of a longer password.
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
