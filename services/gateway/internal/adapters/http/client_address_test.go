package http

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.1.0.7/16"), netip.MustParsePrefix("2001:db8::1/128")}
	tests := map[string]struct {
		trusted   []netip.Prefix
		peer      string
		forwarded []string // X-Forwarded-For
		want      string
	}{
		"no proxy":               {nil, "192.0.2.1:1000", []string{"198.51.100.1"}, "192.0.2.1"},
		"through the proxy":      {proxies, "10.1.2.3:1000", []string{"198.51.100.1"}, "198.51.100.1"},
		"through two proxies":    {proxies, "[2001:db8::1]:1000", []string{"198.51.100.1, 10.1.0.1"}, "198.51.100.1"},
		"past the proxy":         {proxies, "192.0.2.1:1000", []string{"198.51.100.1"}, "192.0.2.1"},
		"a private peer":         {proxies, "10.2.0.1:1000", []string{"198.51.100.1"}, "10.2.0.1"},
		"a peer on this host":    {proxies, "127.0.0.1:1000", []string{"198.51.100.1"}, "127.0.0.1"},
		"the client claims":      {proxies, "10.1.2.3:1000", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"in a header before":     {proxies, "10.1.2.3:1000", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		"claims to be a proxy":   {proxies, "10.1.2.3:1000", []string{"203.0.113.9, 10.1.9.9, 198.51.100.1"}, "198.51.100.1"},
		"not an address":         {proxies, "10.1.2.3:1000", []string{"unknown"}, "10.1.2.3"},
		"with a port":            {proxies, "10.1.2.3:1000", []string{"203.0.113.7:4711"}, "203.0.113.7"},
		"IPv6 with a port":       {proxies, "10.1.2.3:1000", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv6 in brackets":       {proxies, "10.1.2.3:1000", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6":                   {proxies, "10.1.2.3:1000", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv4 in IPv6":           {proxies, "10.1.2.3:1000", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"a peer in IPv6":         {proxies, "[::ffff:10.1.2.3]:1000", []string{"[::ffff:203.0.113.7]:80"}, "203.0.113.7"},
		"an obfuscated port":     {proxies, "10.1.2.3:1000", []string{"203.0.113.7:_a"}, "203.0.113.7"},
		"a zone":                 {proxies, "10.1.2.3:1000", []string{"fe80::1%eth0"}, "fe80::1"},
		"proxies with ports":     {proxies, "10.1.2.3:1000", []string{"203.0.113.9, 203.0.113.7:1, 10.1.0.1:2,[2001:db8::1]:3"}, "203.0.113.7"},
		"empty elements":         {proxies, "10.1.2.3:1000", []string{"203.0.113.7,,", " "}, "203.0.113.7"},
		"a port of the client":   {nil, "192.0.2.1:1000", []string{"203.0.113.7:4711"}, "192.0.2.1"},
		"unknown before a proxy": {proxies, "10.1.2.3:1000", []string{"203.0.113.9, unknown, 10.1.0.1"}, "10.1.0.1"},
		"all are proxies":        {proxies, "10.1.2.3:1000", []string{"10.1.0.2, 10.1.0.1"}, "10.1.0.2"},
		"the proxy itself":       {proxies, "10.1.2.3:1000", nil, "10.1.2.3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.peer
			r.Header["X-Forwarded-For"] = test.forwarded
			if got := clientAddress(test.trusted)(r); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
