package http

import (
	"net"
	"net/netip"

	"github.com/labstack/echo/v4"
)

// clientAddress returns a function that finds the address of a request's client: the last one in X-Forwarded-For that is not
// a trusted proxy's, or the peer's. Addresses before it are the client's own claims.
func clientAddress(trustedProxies []netip.Prefix) echo.IPExtractor {
	if len(trustedProxies) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range trustedProxies {
		options = append(options, echo.TrustIPRange(&net.IPNet{
			IP:   prefix.Masked().Addr().AsSlice(),
			Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
