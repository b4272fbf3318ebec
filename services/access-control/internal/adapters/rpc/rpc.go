// Package rpc serves the use cases of access control as methods of pkg/rpc.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/access-control/internal/app"
	"example.com/warren/services/access-control/internal/domain"
)

// maxLogins bounds the logins in progress. Nearly all of them wait for app.LoginLimiter, which decides whose password is
// checked next. They must not wait in the broker's queue, where the logins of a busy user would delay all later ones.
const maxLogins = 1000

// Register registers the service's methods with server.
func Register(server *rpc.Server, accessControl *app.AccessControl) {
	methods := server.With(rpc.WithErrors(problem))
	h := handlers{accessControl}
	// A request with a password or a token must not end up in a dead-letter queue, where operators read it.
	rpc.Handle(methods, "access-control.login", h.login, rpc.WithConcurrency(maxLogins), rpc.WithoutDeadLetters())
	rpc.Handle(methods, "access-control.validateToken", h.validateToken, rpc.WithoutDeadLetters())
	rpc.Handle(methods, "access-control.logout", h.logout)
}

type handlers struct{ accessControl *app.AccessControl }

type credentials struct {
	Username string `json:"username" validate:"required,max=64"`
	Password string `json:"password" validate:"required"`

	// ClientAddress is set by the gateway, which drops what the HTTP client sent. Calls of other services have none.
	ClientAddress string `json:"-" header:"X-Forwarded-For"`
}

// accessToken is the successful response of RFC 6749, section 5.1.
type accessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

func (h handlers) login(ctx context.Context, in credentials) (accessToken, error) {
	if err := domain.ValidatePassword(in.Password); err != nil {
		return accessToken{}, err
	}
	address, _ := netip.ParseAddr(in.ClientAddress) // on failure the zero Addr, which stands for an unknown address
	token, err := h.accessControl.Login(ctx, in.Username, in.Password, address)
	if err != nil {
		return accessToken{}, err
	}
	rpc.ReplyHeader(ctx).Set("Cache-Control", "no-store")
	return accessToken{AccessToken: token.Token, TokenType: "Bearer", ExpiresIn: int64(token.Lifetime / time.Second)}, nil
}

type tokenInput struct {
	Token string `json:"token" validate:"required"`
}

// introspection is the response of RFC 7662, with the field names of rpc.Identity. A token that is not valid is not an
// error of the call.
type introspection struct {
	Active bool   `json:"active"`
	Reason string `json:"reason,omitempty"` // why the token is not active

	Subject   string   `json:"subject,omitempty"`
	Username  string   `json:"username,omitempty"`
	Scopes    []string `json:"scopes,omitzero"`
	TokenID   string   `json:"token_id,omitempty"`
	ExpiresAt int64    `json:"expires_at,omitempty"` // Unix seconds
	Assertion string   `json:"assertion,omitempty"`  // signed, see rpc.Identity
}

func (h handlers) validateToken(ctx context.Context, in tokenInput) (introspection, error) {
	claims, err := h.accessControl.ValidateToken(ctx, in.Token)
	if inactive, ok := errors.AsType[*domain.TokenError](err); ok {
		return introspection{Reason: inactive.Reason}, nil
	}
	if err != nil {
		return introspection{}, err
	}
	return introspection{
		Active:    true,
		Subject:   claims.Subject,
		Username:  claims.Username,
		Scopes:    append([]string{}, claims.Scopes...), // [] rather than null
		TokenID:   claims.TokenID,
		ExpiresAt: claims.ExpiresAt.Unix(),
		Assertion: claims.Assertion,
	}, nil
}

func (h handlers) logout(ctx context.Context, _ rpc.Empty) (rpc.Empty, error) {
	identity := rpc.IdentityFrom(ctx)
	if identity == nil {
		return rpc.Empty{}, unauthorized("log in first")
	}
	return rpc.Empty{}, h.accessControl.Logout(ctx, identity.TokenID, identity.ExpiresAt)
}

// problem translates the errors that the caller may see. Any other error becomes status 500.
func problem(err error) error {
	limited, isLimited := errors.AsType[*domain.TooManyLoginsError](err)
	switch {
	case errors.Is(err, domain.ErrInvalidCredentials):
		return unauthorized(domain.ErrInvalidCredentials.Error()).WithReason("invalid-credentials")
	case errors.Is(err, domain.ErrTokenInvalid): // the caller was authenticated without a token
		return unauthorized("there is no token to revoke").WithCause(err)
	case errors.Is(err, domain.ErrInvalidPassword):
		message := fmt.Sprintf("must have at most %d bytes, and no NUL", domain.MaxPasswordBytes)
		return rpc.Unprocessable("invalid input").WithFields(rpc.FieldError{Field: "password", Message: message})
	case isLimited:
		seconds := max(int(math.Ceil(limited.RetryAfter.Seconds())), 1)
		return rpc.TooManyRequests("too many logins: try again later").WithReason("too-many-logins").
			WithHeader("Retry-After", strconv.Itoa(seconds))
	default:
		return err
	}
}

// unauthorized returns status 401 with the challenge that RFC 9110, section 15.5.2 requires.
func unauthorized(text string) *rpc.Error {
	return rpc.Unauthorized("%s", text).WithHeader("WWW-Authenticate", "Bearer")
}
