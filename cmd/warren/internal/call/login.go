package call

import (
	"context"
	"errors"
	"time"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/protocol"
)

// The methods that turn a password into an identity.
const (
	login         = "access-control.login"
	validateToken = "access-control.validateToken"
)

type (
	credentials struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	token struct {
		Token string `json:"token"`
	}
	accessToken struct {
		AccessToken string `json:"access_token"`
	}
	// tokenState is the reply of validateToken.
	tokenState struct {
		Subject   string   `json:"subject"`
		Username  string   `json:"username"`
		Scopes    []string `json:"scopes"`
		TokenID   string   `json:"token_id"`
		ExpiresAt int64    `json:"expires_at"` // Unix seconds
		Assertion string   `json:"assertion"`  // signed, see rpc.Identity
	}
)

// logIn returns the identity of a user, which access-control has signed.
func logIn(ctx context.Context, client *rpc.Client, user, password string) (*rpc.Identity, error) {
	issued, err := rpc.Call[credentials, accessToken](ctx, client, login, credentials{user, password})
	if err != nil {
		return nil, err
	}
	state, err := rpc.Call[token, tokenState](ctx, client, validateToken, token{issued.AccessToken})
	if err != nil {
		return nil, err
	}
	return state.identity()
}

// identity prefers the assertion, as the services do.
func (s tokenState) identity() (*rpc.Identity, error) {
	switch {
	case s.Assertion != "":
		return protocol.ParseIdentity(s.Assertion)
	case s.Subject == "":
		return nil, errors.New("there is neither an assertion nor a subject")
	}
	i := &rpc.Identity{Subject: s.Subject, Username: s.Username, Scopes: s.Scopes, TokenID: s.TokenID}
	if s.ExpiresAt != 0 {
		i.ExpiresAt = time.Unix(s.ExpiresAt, 0)
	}
	return i, nil
}
