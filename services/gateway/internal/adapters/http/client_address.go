package http

import (
	"net"
	"net/netip"

	"github.com/labstack/echo/v4"
)

// clientAddress returns what finds the address of a request's client: the last one in X-Forwarded-For that no trusted proxy
// has, or the peer's. Whoever connects could write anything in front of it.
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
