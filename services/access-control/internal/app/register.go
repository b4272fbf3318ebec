package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// Registration is what a new user brings.
type Registration struct {
	ID       string
	Username string
	Password string
	Scopes   []string
}

// Register adds users.
type Register struct {
	users     UserStore
	passwords PasswordHasher
	now       func() time.Time
}

// NewRegister returns the use case.
func NewRegister(users UserStore, passwords PasswordHasher, now func() time.Time) *Register {
	return &Register{users: users, passwords: passwords, now: now}
}

// Execute adds a user. Errors: domain.ErrUsernameTaken, domain.ErrInvalidUser, domain.ErrInvalidPassword.
func (r *Register) Execute(ctx context.Context, in Registration) error {
	if err := r.add(ctx, in); err != nil {
		return fmt.Errorf("register %q: %w", in.Username, err)
	}
	return nil
}

func (r *Register) add(ctx context.Context, in Registration) error {
	if err := domain.ValidatePassword(in.Password); err != nil {
		return err
	}
	// Asked before the password is hashed, which is slow by design. AddUser has the last word.
	switch _, err := r.users.UserByName(ctx, in.Username); {
	case err == nil:
		return domain.ErrUsernameTaken
	case !errors.Is(err, domain.ErrUserNotFound):
		return err
	}
	hash, err := r.passwords.Hash(in.Password)
	if err != nil {
		return err
	}
	user, err := domain.NewUser(in.ID, in.Username, hash, in.Scopes, r.now())
	if err != nil {
		return err
	}
	return r.users.AddUser(ctx, user)
}
