package domain

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MinPasswordLength is the minimum number of characters of a new password, by OWASP ASVS 5.0, section 6.2.1. ASVS recommends
// 15, and NIST SP 800-63B-4 requires 15 of a password that is the only factor: raise it if you must comply.
const MinPasswordLength = 8

// MaxPasswordBytes is the maximum length of a password, because bcrypt ignores the rest.
const MaxPasswordBytes = 72

// ValidateNewPassword returns ErrInvalidPassword unless a user may choose password.
func ValidateNewPassword(password string) error {
	if utf8.RuneCountInString(password) < MinPasswordLength {
		return fmt.Errorf("%w: a password has at least %d characters", ErrInvalidPassword, MinPasswordLength)
	}
	return ValidatePassword(password)
}

// ValidatePassword returns ErrInvalidPassword unless password can be hashed and checked. It rejects NUL because bcrypt takes
// "a" and "a\x00a" for the same password.
func ValidatePassword(password string) error {
	if password == "" || len(password) > MaxPasswordBytes {
		return fmt.Errorf("%w: a password has 1 to %d bytes", ErrInvalidPassword, MaxPasswordBytes)
	}
	if strings.ContainsRune(password, 0) {
		return fmt.Errorf("%w: a password must not contain NUL", ErrInvalidPassword)
	}
	return nil
}
