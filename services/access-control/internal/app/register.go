package app

import (
	"context"
	"errors"

	"example.com/warren/services/access-control/internal/domain"
)

// Registration describes a new user.
type Registration struct {
	ID       string
	Username string
	Password string
	Scopes   []string

	// Demo exempts the password from domain.MinPasswordLength. Only demo data has it: the demo's passwords are published, so
	// their length protects nothing.
	Demo bool
}

// Register adds a user. It returns domain.ErrUsernameTaken, domain.ErrInvalidUser or domain.ErrInvalidPassword.
func (a *AccessControl) Register(ctx context.Context, in Registration) error {
	validate := domain.ValidateNewPassword
	if in.Demo {
		validate = domain.ValidatePassword
	}
	if err := validate(in.Password); err != nil {
		return err
	}
	// Look the name up first, because hashing is slow by design. AddUser decides if another call takes the name now.
	switch _, err := a.ports.Users.UserByName(ctx, in.Username); {
	case err == nil:
		return domain.ErrUsernameTaken
	case !errors.Is(err, domain.ErrUserNotFound):
		return err
	}
	hash, err := a.ports.Passwords.Hash(in.Password)
	if err != nil {
		return err
	}
	user, err := domain.NewUser(in.ID, in.Username, hash, in.Scopes, a.ports.Now())
	if err != nil {
		return err
	}
	return a.ports.Users.AddUser(ctx, user)
}
