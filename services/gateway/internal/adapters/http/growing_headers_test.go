package http

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging/driver"
)

// TestHeadersThatGrow: a message carries every request line and header that the largest limit allows, however much they grow in
// the message, and leaves 16 KiB for the identity.
func TestHeadersThatGrow(t *testing.T) {
	const limit, identity = 16 << 10, 16 << 10
	o := options()
	o.MaxHeaderBytes = limit
	f := newBrokerFixture(t, o)
	fixed := len("GET") + len("gateway") + len("Authorization: \r\n") + len("Bearer "+validToken) // that checkHeaders counts
	request := func(target string, headers ...string) string {
		return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n%s\r\n",
			target, validToken, strings.Join(headers, ""))
	}
	fill := func(path, unit string) string { return path + strings.Repeat(unit, (limit-fixed-len(path))/len(unit)) }
	left := limit - fixed - len("/v1/things")
	var quotes []string
	for i := range left / len("X-0000: \"\r\n") {
		quotes = append(quotes, fmt.Sprintf("X-%04d: \"\r\n", i))
	}
	for name, raw := range map[string]string{
		"a path of quotes":        request(fill("/v1/things/", `"`)),
		"a path of bytes":         request(fill("/v1/things/", "\xff")),
		"an escaped path":         request(fill("/v1/things/", "%00")),
		"a path of letters":       request(fill("/v1/things/", "x")),
		"a query of small values": request(fill("/v1/things?", `"&`)),
		"a query of quotes":       request(fill("/v1/things?q=", `"`)),
		"a header of quotes":      request("/v1/things", "A: "+strings.Repeat(`"`, left-len("A: \r\n"))+"\r\n"),
		"many empty headers":      request("/v1/things", slices.Repeat([]string{"A: \r\n"}, left/len("A: \r\n"))...),
		"many headers of a quote": request("/v1/things", quotes...),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
			if err != nil {
				t.Fatal(err)
			}
			r.RemoteAddr = "192.0.2.1:1234"
			w := httptest.NewRecorder()
			f.http.Handler.ServeHTTP(w, r)
			d := f.delivered()
			if w.Code != http.StatusOK || d == nil {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			d.message.Headers["identity"] = strings.Repeat("x", identity-len("identity")-len("s\x00\x00\x00\x00\x00"))
			if err := driver.ValidateMessage(&d.message); err != nil {
				t.Error(err)
			}
		})
	}
}
