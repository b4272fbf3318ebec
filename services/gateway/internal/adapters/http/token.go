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

// authorize checks the request's token and the route's scope. If the token can't be checked, the request is refused, whatever
// the reason.
func (h *routeHandler) authorize(ctx context.Context, header http.Header, info *requestInfo) error {
	token, err := bearerToken(header)
	if err != nil {
		return err
	}
	identity, err := h.server.authenticator.Authenticate(ctx, token, info.deadline)
	switch {
	case errors.Is(err, app.ErrInvalidToken):
		return problems.tokenInvalid.WithCause(err)
	case errors.Is(err, context.Canceled):
		return err // the client has gone
	case err != nil:
		return problems.tokenUnchecked.WithCause(err)
	}
	info.token, info.identity = token, identity
	if h.Scope != "" && !identity.HasScope(h.Scope) {
		return h.scopeMissing
	}
	return nil
}

// scopeMissing names the scope in the challenge, so that a client can ask for a token with it (RFC 6750, section 3).
func scopeMissing(scope string) *rpc.Error {
	problem := withDetail(problems.scopeMissing, "the scope %s is required", scope)
	return problem.WithHeader(echo.HeaderWWWAuthenticate, problem.Header.Get(echo.HeaderWWWAuthenticate)+fmt.Sprintf(", scope=%q", scope))
}

// bearerToken returns the one token of the Authorization header (RFC 6750, section 2.1).
func bearerToken(header http.Header) (string, error) {
	values := header.Values(echo.HeaderAuthorization)
	if len(values) == 0 {
		return "", problems.tokenMissing
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || !isToken(token) {
		return "", problems.tokenMalformed
	}
	return token, nil
}

const tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"

// isToken reports whether s is a b64token of RFC 6750, section 2.1.
func isToken(s string) bool {
	unpadded := strings.TrimRight(s, "=")
	return unpadded != "" && strings.Trim(unpadded, tokenCharacters) == ""
}
