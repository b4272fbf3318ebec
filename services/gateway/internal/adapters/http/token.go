package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/gateway/internal/app"
)

const headerChallenge = "WWW-Authenticate"

// authorize checks the request's token (RFC 6750) and the route's scope. If the token can't be checked, the request is refused.
func (h *routeHandler) authorize(r *http.Request, info *requestInfo) error {
	token, err := bearerToken(r.Header)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(r.Context(), info.deadline)
	defer cancel()
	identity, err := h.authenticator.Authenticate(ctx, token)
	if errors.Is(err, app.ErrInvalidToken) {
		return rpc.Unauthorized("the token is not valid: log in again").WithCause(err).
			WithHeader(headerChallenge, `Bearer realm="warren", error="invalid_token"`)
	}
	if err != nil {
		return checkFailed(err)
	}
	info.token, info.identity = token, identity
	if h.missingScope != nil && !identity.HasScope(h.Scope) {
		return h.missingScope
	}
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

func missingScope(scope string) *rpc.Error {
	return rpc.Forbidden("the scope %s is required", scope).
		WithHeader(headerChallenge, fmt.Sprintf(`Bearer realm="warren", error="insufficient_scope", scope=%q`, scope))
}
