package rpc

import (
	"context"
	"slices"
	"time"
)

// Identity is a caller whose token was checked.
type Identity struct {
	Subject   string // the user's id
	Username  string
	Scopes    []string
	TokenID   string    // the token's jti
	ExpiresAt time.Time // the token's exp
}

// HasScope reports whether the identity carries scope. A nil Identity carries none.
func (i *Identity) HasScope(scope string) bool {
	return i != nil && slices.Contains(i.Scopes, scope)
}

// IdentityFrom returns who called the handler that ctx belongs to, or nil for nobody.
func IdentityFrom(ctx context.Context) *Identity {
	request := RequestFrom(ctx)
	if request == nil {
		return nil
	}
	return request.Identity
}
