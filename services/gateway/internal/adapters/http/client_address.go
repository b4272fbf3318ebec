package http

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// clientAddress returns a function that finds the address of a request's client: the last one in X-Forwarded-For that is not
// a trusted proxy's, or the peer's. Addresses before it are the client's own claims.
func clientAddress(trustedProxies []netip.Prefix) echo.IPExtractor {
	isTrusted := func(addr netip.Addr) bool {
		return slices.ContainsFunc(trustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	return func(r *http.Request) string {
		addr := parseAddress(r.RemoteAddr)
		forwarded := strings.Split(strings.Join(r.Header[echo.HeaderXForwardedFor], ","), ",")
		for _, element := range slices.Backward(forwarded) {
			if element = strings.TrimSpace(element); element == "" {
				continue
			}
			before := parseAddress(element)
			if !isTrusted(addr) || !before.IsValid() {
				break
			}
			addr = before
		}
		return addr.String()
	}
}

// parseAddress parses an address, of which proxies may also write the port. IPv6 addresses may have brackets.
func parseAddress(s string) netip.Addr {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	addr, _ := netip.ParseAddr(strings.Trim(s, "[]"))
	return addr.Unmap().WithZone("")
}
