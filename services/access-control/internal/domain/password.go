package domain

import (
	"fmt"
	"strings"
)

// MaxPasswordBytes is as much of a password as bcrypt reads.
const MaxPasswordBytes = 72

// ValidatePassword reports, as ErrInvalidPassword, why password can't be anybody's. NUL is refused because bcrypt reads
// "a" and "a\x00a" as the same password.
func ValidatePassword(password string) error {
	if password == "" || len(password) > MaxPasswordBytes {
		return fmt.Errorf("%w: a password has 1 to %d bytes", ErrInvalidPassword, MaxPasswordBytes)
	}
	if strings.ContainsRune(password, 0) {
		return fmt.Errorf("%w: a password has no NUL", ErrInvalidPassword)
	}
	return nil
}
