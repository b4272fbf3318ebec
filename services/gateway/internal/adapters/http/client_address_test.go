package http

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClientAddress(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("10.1.0.7/16"), netip.MustParsePrefix("2001:db8::1/128")}
	tests := map[string]struct {
		trusted   []netip.Prefix
		peer      string
		forwarded []string // X-Forwarded-For
		want      string
	}{
		"no proxy":               {nil, "192.0.2.1:1000", []string{"198.51.100.1"}, "192.0.2.1"},
		"through the proxy":      {networks, "10.1.2.3:1000", []string{"198.51.100.1"}, "198.51.100.1"},
		"through two proxies":    {networks, "[2001:db8::1]:1000", []string{"198.51.100.1, 10.1.0.1"}, "198.51.100.1"},
		"past the proxy":         {networks, "192.0.2.1:1000", []string{"198.51.100.1"}, "192.0.2.1"},
		"a private peer":         {networks, "10.2.0.1:1000", []string{"198.51.100.1"}, "10.2.0.1"},
		"a peer on this host":    {networks, "127.0.0.1:1000", []string{"198.51.100.1"}, "127.0.0.1"},
		"the client claims":      {networks, "10.1.2.3:1000", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"in a header before":     {networks, "10.1.2.3:1000", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		"claims to be a proxy":   {networks, "10.1.2.3:1000", []string{"203.0.113.9, 10.1.9.9, 198.51.100.1"}, "198.51.100.1"},
		"not an address":         {networks, "10.1.2.3:1000", []string{"unknown"}, "10.1.2.3"},
		"with a port":            {networks, "10.1.2.3:1000", []string{"203.0.113.7:4711"}, "203.0.113.7"},
		"IPv6 with a port":       {networks, "10.1.2.3:1000", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv6 in brackets":       {networks, "10.1.2.3:1000", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6":                   {networks, "10.1.2.3:1000", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv4 in IPv6":           {networks, "10.1.2.3:1000", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"a peer in IPv6":         {networks, "[::ffff:10.1.2.3]:1000", []string{"[::ffff:203.0.113.7]:80"}, "203.0.113.7"},
		"an obfuscated port":     {networks, "10.1.2.3:1000", []string{"203.0.113.7:_a"}, "203.0.113.7"},
		"a zone":                 {networks, "10.1.2.3:1000", []string{"fe80::1%eth0"}, "fe80::1"},
		"proxies with ports":     {networks, "10.1.2.3:1000", []string{"203.0.113.9, 203.0.113.7:1, 10.1.0.1:2,[2001:db8::1]:3"}, "203.0.113.7"},
		"empty elements":         {networks, "10.1.2.3:1000", []string{"203.0.113.7,,", " "}, "203.0.113.7"},
		"a port of the client":   {nil, "192.0.2.1:1000", []string{"203.0.113.7:4711"}, "192.0.2.1"},
		"unknown before a proxy": {networks, "10.1.2.3:1000", []string{"203.0.113.9, unknown, 10.1.0.1"}, "10.1.0.1"},
		"all are proxies":        {networks, "10.1.2.3:1000", []string{"10.1.0.2, 10.1.0.1"}, "10.1.0.2"},
		"the proxy itself":       {networks, "10.1.2.3:1000", nil, "10.1.2.3"},
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

func TestTraceOfProxy(t *testing.T) {
	trace := http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "Tracestate": {"a=1", "b=2"}}
	tests := map[string]struct {
		trusted []netip.Prefix
		peer    string
		want    http.Header
	}{
		"no proxy is trusted": {nil, "192.0.2.1:1000", http.Header{}},
		"a trusted proxy":     {[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, "192.0.2.1:1000", trace},
		"past the proxy":      {[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, "198.51.100.1:1000", http.Header{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.TrustedProxies = test.trusted
			f := newFixture(t, o)
			r := newRequest(http.MethodGet, "/v1/things", "")
			r.RemoteAddr = test.peer
			maps.Copy(r.Header, trace)
			r.Header.Set("X-Forwarded-For", "192.0.2.1") // a claim, too
			if w := f.do(r); w.Code != http.StatusOK {
				t.Fatalf("status %d", w.Code)
			}
			got := f.caller.last.Header
			delete(got, "X-Forwarded-For")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("forwarded headers (-want +got):\n%s", diff)
			}
		})
	}
}
