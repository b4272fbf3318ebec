package http

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// proxies are the networks of trusted proxies.
type proxies []netip.Prefix

func (p proxies) contain(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// clientAddress returns a function that finds the address of a request's client: the last one in X-Forwarded-For that is not
// a trusted proxy's, or the peer's. Addresses before it are the client's own claims.
func clientAddress(trusted proxies) echo.IPExtractor {
	return func(r *http.Request) string {
		addr := parseAddress(r.RemoteAddr)
		if len(r.Header[echo.HeaderXForwardedFor]) == 0 {
			return addr.String()
		}
		forwarded := strings.Split(strings.Join(r.Header[echo.HeaderXForwardedFor], ","), ",")
		for _, element := range slices.Backward(forwarded) {
			if element = strings.TrimSpace(element); element == "" {
				continue
			}
			before := parseAddress(element)
			if !trusted.contain(addr) || !before.IsValid() {
				break
			}
			addr = before
		}
		return addr.String()
	}
}

// traceHeaders name the trace that a request belongs to (https://www.w3.org/TR/trace-context/).
var traceHeaders = [...]string{"Traceparent", "Tracestate"}

// dropClaimedTrace removes the trace of a request that no trusted proxy sent. A client could otherwise put its requests into the
// traces of others, and decide which requests are recorded.
func (s *Server) dropClaimedTrace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		for _, name := range traceHeaders {
			if r.Header[name] != nil && !proxies(s.config.TrustedProxies).contain(parseAddress(r.RemoteAddr)) {
				delete(r.Header, name)
			}
		}
		return next(c)
	}
}

// parseAddress parses an address, of which proxies may also write the port. IPv6 addresses may have brackets.
func parseAddress(s string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	if host, _, err := net.SplitHostPort(s); err == nil { // the port need not be a number (RFC 7239, section 6.3)
		s = host
	}
	addr, _ := netip.ParseAddr(strings.Trim(s, "[]"))
	return addr.Unmap().WithZone("")
}
