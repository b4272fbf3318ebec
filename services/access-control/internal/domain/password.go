package domain

import (
	"fmt"
	"strings"
)

// MaxPasswordBytes is the maximum length of a password, because bcrypt ignores the rest.
const MaxPasswordBytes = 72

// ValidatePassword returns ErrInvalidPassword unless password may be used. It rejects NUL because bcrypt takes "a" and
// "a\x00a" for the same password.
func ValidatePassword(password string) error {
	if password == "" || len(password) > MaxPasswordBytes {
		return fmt.Errorf("%w: a password has 1 to %d bytes", ErrInvalidPassword, MaxPasswordBytes)
	}
	if strings.ContainsRune(password, 0) {
		return fmt.Errorf("%w: a password must not contain NUL", ErrInvalidPassword)
	}
	return nil
}
