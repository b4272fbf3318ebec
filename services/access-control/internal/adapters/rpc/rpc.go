// Package rpc serves the use cases as methods of pkg/rpc.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strconv"
	"time"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/access-control/internal/app"
	"example.com/warren/services/access-control/internal/domain"
)

// Register makes server answer the service's methods.
func Register(server *rpc.Server, login *app.Login, validateToken *app.ValidateToken, logout *app.Logout) {
	// Each check of a password keeps a processor busy: half of them stay free for the checks of tokens.
	processors := max(runtime.GOMAXPROCS(0)/2, 1)
	rpc.Handle(server, "access-control.login", loginHandler{login}.handle,
		rpc.WithConcurrency(processors), rpc.WithoutDeadLetters()) // it holds a password
	rpc.Handle(server, "access-control.validateToken", validateTokenHandler{validateToken}.handle,
		rpc.WithoutDeadLetters()) // it holds a token
	rpc.Handle(server, "access-control.logout", logoutHandler{logout}.handle)
}

// unauthorized is status 401 with the header that comes with it (RFC 9110, section 15.5.2).
func unauthorized(text string) *rpc.Error {
	return rpc.Unauthorized("%s", text).WithHeader("WWW-Authenticate", "Bearer")
}

type credentials struct {
	Username string `json:"username" validate:"required,max=64"`
	Password string `json:"password" validate:"required"`
}

// accessToken is a token response of RFC 6749, section 5.1.
type accessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

type loginHandler struct{ login *app.Login }

func (h loginHandler) handle(ctx context.Context, in credentials) (accessToken, error) {
	if err := domain.ValidatePassword(in.Password); err != nil {
		message := fmt.Sprintf("must have at most %d bytes, and no NUL", domain.MaxPasswordBytes)
		return accessToken{}, rpc.Unprocessable("invalid input").WithFields(rpc.FieldError{Field: "password", Message: message})
	}
	token, err := h.login.Execute(ctx, in.Username, in.Password, clientAddress(ctx))
	if errors.Is(err, domain.ErrInvalidCredentials) {
		return accessToken{}, unauthorized(domain.ErrInvalidCredentials.Error())
	}
	if limited, ok := errors.AsType[*domain.TooManyFailedLoginsError](err); ok {
		return accessToken{}, tooManyFailedLogins(limited.RetryAfter)
	}
	if err != nil {
		return accessToken{}, err
	}
	rpc.ReplyHeader(ctx).Set("Cache-Control", "no-store")
	return accessToken{
		AccessToken: token.Token,
		TokenType:   "Bearer",
		ExpiresIn:   int64(token.Lifetime / time.Second),
	}, nil
}

// clientAddress returns the address of the HTTP client, which the gateway alone writes into this header, or the zero Addr:
// calls of other services have none.
func clientAddress(ctx context.Context) netip.Addr {
	request := rpc.RequestFrom(ctx)
	if request == nil {
		return netip.Addr{}
	}
	address, err := netip.ParseAddr(request.Header.Get("X-Forwarded-For"))
	if err != nil {
		return netip.Addr{}
	}
	return address
}

// tooManyFailedLogins is status 429 with the header that comes with it, in whole seconds (RFC 6585, section 4).
func tooManyFailedLogins(retryAfter time.Duration) *rpc.Error {
	seconds := max(int(math.Ceil(retryAfter.Seconds())), 1)
	return rpc.TooManyRequests("too many failed logins: try again later").WithHeader("Retry-After", strconv.Itoa(seconds))
}

type tokenInput struct {
	Token string `json:"token" validate:"required"`
}

// introspection is what RFC 7662 answers, in the words of rpc.Identity. To be asked about a bad token is not an error.
type introspection struct {
	Active bool   `json:"active"`
	Reason string `json:"reason,omitempty"` // why it is not active

	Subject   string   `json:"subject,omitempty"`
	Username  string   `json:"username,omitempty"`
	Scopes    []string `json:"scopes,omitzero"`
	TokenID   string   `json:"token_id,omitempty"`
	ExpiresAt int64    `json:"expires_at,omitempty"` // Unix seconds
}

type validateTokenHandler struct{ validateToken *app.ValidateToken }

func (h validateTokenHandler) handle(ctx context.Context, in tokenInput) (introspection, error) {
	claims, err := h.validateToken.Execute(ctx, in.Token)
	if reason := inactiveReason(err); reason != "" {
		return introspection{Reason: reason}, nil
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
	}, nil
}

// inactiveReason returns the word for what is wrong with a token, or "" if err says nothing about the token.
func inactiveReason(err error) string {
	switch {
	case errors.Is(err, domain.ErrTokenMalformed):
		return "malformed"
	case errors.Is(err, domain.ErrTokenInvalid):
		return "invalid"
	case errors.Is(err, domain.ErrTokenNotYetValid):
		return "not_yet_valid"
	case errors.Is(err, domain.ErrTokenExpired):
		return "expired"
	case errors.Is(err, domain.ErrTokenRevoked):
		return "revoked"
	default:
		return ""
	}
}

type logoutHandler struct{ logout *app.Logout }

func (h logoutHandler) handle(ctx context.Context, _ rpc.Empty) (rpc.Empty, error) {
	identity := rpc.IdentityFrom(ctx)
	if identity == nil {
		return rpc.Empty{}, unauthorized("log in first")
	}
	err := h.logout.Execute(ctx, identity.TokenID, identity.ExpiresAt)
	if errors.Is(err, domain.ErrTokenInvalid) { // a caller that was identified by something else than a token
		return rpc.Empty{}, unauthorized("there is no token to revoke").WithCause(err)
	}
	return rpc.Empty{}, err
}
