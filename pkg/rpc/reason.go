package rpc

import "net/http"

// reasons is the table of the reasons that a status has by default. PROTOCOL.md shows it to clients; TestReasonsAreDocumented
// compares the two. A service may give its errors other reasons, see Error.WithReason.
var reasons = []struct {
	status  int
	reason  string
	meaning string
}{
	{http.StatusBadRequest, "bad-request", "the request can't be read"},
	{http.StatusUnauthorized, "unauthorized", "a valid token is required"},
	{http.StatusForbidden, "forbidden", "the caller may not do this"},
	{http.StatusNotFound, "not-found", "there is no such thing or no such route"},
	{http.StatusMethodNotAllowed, "method-not-allowed", "the route exists with other HTTP methods only"},
	{http.StatusRequestTimeout, "request-timeout", "the client took too long to send its request"},
	{http.StatusConflict, "conflict", "the state of the thing does not allow this"},
	{http.StatusRequestEntityTooLarge, "body-too-large", "the body exceeds the limit"},
	{http.StatusUnsupportedMediaType, "unsupported-media-type", "the body has the wrong content type"},
	{http.StatusUnprocessableEntity, "invalid-input", "the request can be read and its content is wrong; `errors` names the fields"},
	{http.StatusTooManyRequests, "too-many-requests", "the caller exceeds a limit; see `Retry-After`"},
	{http.StatusRequestHeaderFieldsTooLarge, "headers-too-large", "the headers exceed the limit"},
	{http.StatusInternalServerError, "internal-error", "the service failed; its log has the cause"},
	{http.StatusBadGateway, "bad-gateway", "the service's reply can't be understood"},
	{http.StatusServiceUnavailable, "unavailable", "the service can't be reached now; see `Retry-After`"},
	{http.StatusGatewayTimeout, "timeout", "the service did not reply in time; the gateway may use status 502 for it"},
}

// defaultReason returns the reason of a status, or "" if the status alone says it all.
func defaultReason(status int) string {
	for _, r := range reasons {
		if r.status == status {
			return r.reason
		}
	}
	return ""
}
