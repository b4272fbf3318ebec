package domain

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrInvalidCredentials does not tell whether the username or the password is wrong.
	ErrInvalidCredentials = errors.New("wrong username or password")
	ErrInvalidPassword    = errors.New("invalid password")
	ErrInvalidUser        = errors.New("invalid user")
	ErrUserNotFound       = errors.New("no such user")
	ErrUsernameTaken      = errors.New("username taken")
)

// TokenError reports that a token is not valid.
type TokenError struct {
	Reason string
}

func (e *TokenError) Error() string { return "token " + e.Reason }

// Reasons why a token is not valid. They are part of the protocol.
var (
	ErrTokenMalformed   = &TokenError{"malformed"} // not in the form of this service's tokens
	ErrTokenInvalid     = &TokenError{"invalid"}   // not signed by this service, or not for this system
	ErrTokenNotYetValid = &TokenError{"not_yet_valid"}
	ErrTokenExpired     = &TokenError{"expired"}
	ErrTokenRevoked     = &TokenError{"revoked"}
)

// TooManyLoginsError reports that a password was not checked. It does not tell whether the limit of the user or of the
// client address was reached.
type TooManyLoginsError struct {
	RetryAfter time.Duration // until an attempt is admitted, unless another one comes first
}

func (e *TooManyLoginsError) Error() string {
	return fmt.Sprintf("too many logins: retry after %s", e.RetryAfter)
}
