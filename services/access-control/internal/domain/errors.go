package domain

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrInvalidCredentials: no user has this name and this password. Which of the two is wrong is not told.
	ErrInvalidCredentials = errors.New("wrong username or password")
	ErrInvalidPassword    = errors.New("invalid password")
	ErrInvalidUser        = errors.New("invalid user")
	ErrUserNotFound       = errors.New("no such user")
	ErrUsernameTaken      = errors.New("username taken")
)

// Why a token is refused.
var (
	ErrTokenMalformed   = errors.New("token malformed")     // not in the form of this service's tokens
	ErrTokenInvalid     = errors.New("token invalid")       // not signed by this service, or not for this system
	ErrTokenNotYetValid = errors.New("token not yet valid") // its time is to come
	ErrTokenExpired     = errors.New("token expired")
	ErrTokenRevoked     = errors.New("token revoked") // logged out
)

// TooManyFailedLoginsError refuses to check a password. Whether the user's or the client's address's logins have failed
// too often is not told.
type TooManyFailedLoginsError struct {
	RetryAfter time.Duration // then an attempt is let in, unless others come first
}

// Error returns a text for logs.
func (e *TooManyFailedLoginsError) Error() string {
	return fmt.Sprintf("too many failed logins: retry after %s", e.RetryAfter)
}
