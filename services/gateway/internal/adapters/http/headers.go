package http

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/net/http/httpguts"
)

const (
	headerCorrelationID = "X-Correlation-Id"
	headerForwardedFor  = "X-Forwarded-For"
	// headerIdempotencyKey: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header
	headerIdempotencyKey = "Idempotency-Key"
	// maxHeaderNameBytes bounds a name in a message.
	maxHeaderNameBytes = 255
)

// hopByHop headers are about one connection, not about the request (RFC 9110, section 7.6.1, and its predecessors).
var hopByHop = canonicalSet("Connection", "Proxy-Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding",
	"Upgrade", "Expect", "Content-Length")

// heldBack headers reach a service only if its route is declared with forwarding: credentials and, with the prefixes in
// isHeldBack, claims about where a request comes from.
var heldBack = canonicalSet("Authorization", "Cookie", "Forwarded", "X-Real-Ip", "True-Client-Ip")

func isHeldBack(name string) bool {
	return heldBack[name] || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Forwarded-")
}

// ownResponse headers of a response are set by the gateway alone.
var ownResponse = canonicalSet(headerCorrelationID, "Content-Type", "Date", "Server")

// isOwnResponse reports whether only the gateway sets a header, CORS included: it alone decides which origins may read the API.
func isOwnResponse(name string) bool {
	return ownResponse[name] || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "Access-Control-")
}

func canonicalSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[http.CanonicalHeaderKey(name)] = true
	}
	return set
}

// forwardable returns the headers of a request that its call carries, with those of the held-back ones that are in forward.
func forwardable(header http.Header, forward map[string]bool, remoteIP string) http.Header {
	dropped := namedByConnection(header)
	out := make(http.Header, len(header))
	for name, values := range header {
		if hopByHop[name] || dropped[name] || name == echo.HeaderContentType || isHeldBack(name) && !forward[name] {
			continue
		}
		out[name] = values
	}
	if remoteIP != "" {
		out.Set(headerForwardedFor, remoteIP)
	}
	return out
}

// returnable writes the headers of a reply to the response.
func returnable(reply, response http.Header) {
	dropped := namedByConnection(reply)
	for name, values := range reply {
		name = http.CanonicalHeaderKey(name)
		if hopByHop[name] || dropped[name] || isOwnResponse(name) || !isWritable(name, values) {
			continue
		}
		if name == echo.HeaderVary { // the CORS middleware may have set it
			values = append(response[name], values...)
		}
		response[name] = values
	}
}

// isWritable reports whether HTTP can carry a header. Clients reject a whole response with a header that is malformed.
func isWritable(name string, values []string) bool {
	return httpguts.ValidHeaderFieldName(name) &&
		!slices.ContainsFunc(values, func(value string) bool { return !httpguts.ValidHeaderFieldValue(value) })
}

// namedByConnection returns the headers that the sender declares as hop-by-hop.
func namedByConnection(header http.Header) map[string]bool {
	connection := header["Connection"]
	if len(connection) == 0 {
		return nil
	}
	var names []string
	for _, value := range connection {
		for name := range strings.SplitSeq(value, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return canonicalSet(names...)
}

// limitHeaders refuses headers that a message can't carry, before any other work is done for the request.
func (s *Server) limitHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := checkHeaders(c.Request(), s.config.MaxHeaderBytes); err != nil {
			return err
		}
		return next(c)
	}
}

func checkHeaders(r *http.Request, limit int) error {
	size := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		if len(name) > maxHeaderNameBytes {
			return withDetail(problems.headersTooLarge, "the name of a header has %d bytes, %d are allowed", len(name), maxHeaderNameBytes)
		}
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size > limit {
		return withDetail(problems.headersTooLarge, "request line and headers have %d bytes, %d are allowed", size, limit)
	}
	return nil
}
