// Package rpc calls the services that the gateway itself depends on.
package rpc

import (
	"context"
	"fmt"
	"time"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/protocol"
	"example.com/warren/services/gateway/internal/app"
)

// ValidateToken is the queue of the method that checks tokens.
const ValidateToken = "access-control.validateToken"

// TokenValidator implements app.TokenValidator with the access-control service.
type TokenValidator struct {
	client *rpc.Client
}

// NewTokenValidator returns a validator that makes its calls with client.
func NewTokenValidator(client *rpc.Client) *TokenValidator { return &TokenValidator{client} }

type validateTokenInput struct {
	Token string `json:"token"`
}

type validateTokenOutput struct {
	Active    bool     `json:"active"`
	Reason    string   `json:"reason"`
	Subject   string   `json:"subject"`
	Username  string   `json:"username"`
	Scopes    []string `json:"scopes"`
	TokenID   string   `json:"token_id"`
	ExpiresAt int64    `json:"expires_at"` // Unix seconds
	Assertion string   `json:"assertion"`  // signed, see rpc.Identity
}

// Validate implements app.TokenValidator.
func (v *TokenValidator) Validate(ctx context.Context, token string) (*rpc.Identity, error) {
	out, err := rpc.Call[validateTokenInput, validateTokenOutput](ctx, v.client, ValidateToken, validateTokenInput{token},
		rpc.WithIdempotent())
	if err != nil {
		return nil, fmt.Errorf("check token: %w", err)
	}
	if !out.Active {
		return nil, fmt.Errorf("%w: %s", app.ErrInvalidToken, out.Reason)
	}
	identity := &rpc.Identity{
		Subject:   out.Subject,
		Username:  out.Username,
		Scopes:    out.Scopes,
		TokenID:   out.TokenID,
		ExpiresAt: time.Unix(out.ExpiresAt, 0),
	}
	if out.Assertion != "" {
		// Take the fields that the services verify, so that a forged reply adds no scope to them.
		if identity, err = protocol.ParseIdentity(out.Assertion); err != nil {
			return nil, fmt.Errorf("check token: the assertion in the reply of %s: %w", ValidateToken, err)
		}
	}
	if identity.Subject == "" || identity.ExpiresAt.Unix() <= 0 {
		return nil, fmt.Errorf("check token: the reply of %s has no subject or no expiry", ValidateToken)
	}
	return identity, nil
}
