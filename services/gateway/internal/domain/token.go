// Package domain holds what the gateway knows of its callers: tokens and the identities behind them.
package domain

import "errors"

// MaxTokenBytes bounds a token. What is longer is nobody's.
const MaxTokenBytes = 8 << 10

// ErrInvalidToken: the token is malformed, expired, revoked or forged. The caller must log in again.
var ErrInvalidToken = errors.New("invalid token")
