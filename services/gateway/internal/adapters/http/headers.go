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
	// headerIdempotencyKey: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header
	headerIdempotencyKey = "Idempotency-Key"
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
var ownResponse = canonicalSet(headerCorrelationID, "Content-Type", "Date", "Server", "X-Content-Type-Options")

// isOwnResponse reports whether only the gateway sets a header, CORS included: it alone decides which origins may read the API.
func isOwnResponse(name string) bool {
	return ownResponse[name] || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "Access-Control-")
}

// The values are shared by all responses, because net/http does not change them.
var (
	noStore = []string{"no-store"}
	noSniff = []string{"nosniff"}
)

// setDefaults sets the headers that every response has.
func setDefaults(response http.Header, r *http.Request, id string) {
	response.Set(headerCorrelationID, id)
	response[echo.HeaderCacheControl] = noStore
	// Without it, browsers guess the type, and may run a text that looks like a page.
	response[echo.HeaderXContentTypeOptions] = noSniff
	if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
		// The connection must be closed after a request with Transfer-Encoding that also has a Content-Length or is HTTP/1.0
		// (RFC 9112, section 6.1). net/http hides both facts, so any request that may be one closes it.
		response.Set(echo.HeaderConnection, "close")
	}
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
	out.Set(echo.HeaderXForwardedFor, remoteIP)
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
		switch name {
		case echo.HeaderVary: // the CORS middleware may have set it
			values = append(response[name], values...)
		case echo.HeaderContentEncoding:
			if values = contentCodings(values); len(values) == 0 {
				continue
			}
		}
		response[name] = values
	}
}

// codings are the content codings that are registered (RFC 9110, section 8.4.1).
// See https://www.iana.org/assignments/http-parameters.
var codings = strings.Fields("aes128gcm br compress dcb dcz deflate exi gzip pack200-gzip x-compress x-gzip zstd")

// contentCodings returns the content codings in values. Some AMQP clients send a character set too, or instead: "gzip:UTF-8".
func contentCodings(values []string) []string {
	all := elements(strings.Split(strings.ToLower(strings.Join(values, ",")), ":"))
	return slices.DeleteFunc(all, func(value string) bool { return !slices.Contains(codings, value) })
}

// isWritable reports whether HTTP can carry a header. Clients reject a whole response with a header that is malformed.
func isWritable(name string, values []string) bool {
	return httpguts.ValidHeaderFieldName(name) &&
		!slices.ContainsFunc(values, func(value string) bool { return !httpguts.ValidHeaderFieldValue(value) })
}

// namedByConnection returns the headers that the sender declares as hop-by-hop.
func namedByConnection(header http.Header) map[string]bool {
	if len(header["Connection"]) == 0 {
		return nil
	}
	return canonicalSet(elements(header["Connection"])...)
}

// elements returns the elements of a header whose values are lists.
func elements(values []string) []string {
	return strings.FieldsFunc(strings.Join(values, ","), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// checkHeaders refuses large headers. It is no middleware, to keep its variables off the stacks of requests that wait.
func (s *Server) checkHeaders(r *http.Request) error {
	size := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(": \r\n") + len(value)
		}
	}
	if limit := s.config.MaxHeaderBytes; size > limit {
		return withDetail(problems.headersTooLarge, "request line and headers have %d bytes, %d are allowed", size, limit)
	}
	return nil
}
