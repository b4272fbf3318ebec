package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/gateway/internal/domain"
)

const headerChallenge = "WWW-Authenticate"

// requireToken lets a request in whose bearer token is valid (RFC 6750). If nobody can be asked, nobody is let in.
func (s *Server) requireToken(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.checkToken(c); err != nil {
			return err
		}
		return next(c)
	}
}

// checkToken notes whom the request's token speaks for, or says why it is refused. What it needs is off the stack while the
// call waits.
func (s *Server) checkToken(c echo.Context) error {
	token, err := bearerToken(c.Request().Header)
	if err != nil {
		return err
	}
	x := exchangeOf(c)
	ctx, cancel := context.WithDeadline(c.Request().Context(), x.deadline())
	defer cancel()
	identity, err := s.authenticator.Authenticate(ctx, token)
	if errors.Is(err, domain.ErrInvalidToken) {
		return rpc.Unauthorized("the token is not valid: log in again").WithCause(err).
			WithHeader(headerChallenge, `Bearer realm="warren", error="invalid_token"`)
	}
	if err != nil {
		return checkFailed(err)
	}
	x.token, x.identity = token, &identity
	return nil
}

// checkFailed fails closed: a caller whose token can't be checked is asked to come back, whatever the reason.
func checkFailed(err error) error {
	if isClientGone(err) {
		return err
	}
	return unavailable("tokens can't be checked now").WithCause(err)
}

// bearerToken returns the one token of the Authorization header. A request without any gets a challenge that names no
// error, as RFC 6750 section 3.1 asks.
func bearerToken(header http.Header) (string, error) {
	values := header.Values(echo.HeaderAuthorization)
	if len(values) == 0 {
		return "", rpc.Unauthorized("a bearer token is required").WithHeader(headerChallenge, `Bearer realm="warren"`)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || !isToken(token) {
		return "", rpc.Unauthorized("the Authorization header must hold one bearer token").
			WithHeader(headerChallenge, `Bearer realm="warren", error="invalid_request"`)
	}
	return token, nil
}

const tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"

// isToken reports whether s has the form of a bearer token (b64token in RFC 6750, section 2.1).
func isToken(s string) bool {
	unpadded := strings.TrimRight(s, "=")
	return unpadded != "" && strings.Trim(unpadded, tokenCharacters) == ""
}

// scope refuses callers whose token does not carry the scope. It stands behind requireToken.
func scope(name string) echo.MiddlewareFunc {
	refusal := rpc.Forbidden("the scope %s is required", name).
		WithHeader(headerChallenge, fmt.Sprintf(`Bearer realm="warren", error="insufficient_scope", scope=%q`, name))
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if identity := exchangeOf(c).identity; identity == nil || !identity.HasScope(name) {
				return refusal
			}
			return next(c)
		}
	}
}

// forgetToken drops what is remembered of the token, whatever became of the call behind it.
func (s *Server) forgetToken(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		s.authenticator.Forget(exchangeOf(c).token)
		return err
	}
}

// rpcIdentity returns the identity as messages carry it.
func rpcIdentity(i *domain.Identity) *rpc.Identity {
	if i == nil {
		return nil
	}
	return &rpc.Identity{
		Subject:   i.Subject,
		Username:  i.Username,
		Scopes:    slices.Clone(i.Scopes),
		TokenID:   i.TokenID,
		ExpiresAt: i.ExpiresAt,
	}
}
