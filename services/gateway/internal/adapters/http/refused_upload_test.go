package http

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"example.com/warren/pkg/rpc"
)

// TestRefusedUploads: a client that sends its whole body before it reads gets the status of the refusal, not a reset connection.
func TestRefusedUploads(t *testing.T) {
	const large, small = 1_500_000, 300_000 // over the limit, and within it
	const anonymous = "X-Any: x"
	const token = "Authorization: Bearer " + validToken
	tests := map[string]struct {
		target string // method and path
		header string
		size   int
		err    error // of the call
		want   int
		keep   bool // the connection serves another request
	}{
		"no token":                     {"POST /v1/things", anonymous, large, nil, 401, false},
		"no token, small":              {"POST /v1/things", anonymous, small, nil, 401, true},
		"no scope":                     {"POST /v1/things", token, large, nil, 403, false},
		"no such route":                {"POST /nowhere", anonymous, large, nil, 404, false},
		"no such route, small":         {"POST /nowhere", anonymous, small, nil, 404, true},
		"no such method":               {"PUT /v1/things", anonymous, large, nil, 405, false},
		"too large":                    {"POST /v1/any", anonymous, large, nil, 413, false},
		"too large for the route":      {"POST /v1/login", anonymous, small, nil, 413, true},
		"a coding":                     {"POST /v1/any", "Content-Encoding: gzip", large, nil, 415, false},
		"a coding, small":              {"POST /v1/any", "Content-Encoding: gzip", small, nil, 415, true},
		"large headers":                {"POST /v1/any", "X-Large: " + strings.Repeat("x", 13<<10), large, nil, 431, false},
		"large headers, small":         {"POST /v1/any", "X-Large: " + strings.Repeat("x", 13<<10), small, nil, 431, true},
		"malformed query":              {"POST /v1/any?q=%zz", anonymous, large, nil, 400, false},
		"too many calls, small":        {"POST /v1/any", anonymous, small, rpc.ErrTooManyPending, 503, false},
		"too many bodies, small":       {"POST /v1/full", anonymous, small, nil, 503, false},
		"no 100 Continue is awaited":   {"POST /v1/any", "Expect: 100-continue", large, nil, 413, false},
		"no 100 Continue, small":       {"POST /nowhere", "Expect: 100-continue", small, nil, 404, false},
		"a method that is not in HTTP": {"BREW /v1/any", anonymous, large, nil, 405, false},
		"a client that would close":    {"POST /v1/any", "Connection: close", large, nil, 413, false},
		"options of the server":        {"OPTIONS *", anonymous, large, nil, 404, false},
		"a service's refusal, small":   {"POST /v1/any", anonymous, small, rpc.Conflict("no"), 409, true},
	}
	for name, test := range tests {
		for _, encoding := range []string{"length", "chunked"} {
			t.Run(name+"/"+encoding, func(t *testing.T) {
				t.Parallel()
				f := newFixtureOf(t, options(), func(api *table) {
					v1 := api.group("/v1")
					v1.POST("/things", proxy("things.create"), requireToken, scope("things:delete"))
					v1.POST("/any", proxy("any.queue"), public)
					v1.POST("/full", proxy("any.full"), public)
					v1.POST("/login", proxy("any.login"), public, maxBody(4<<10))
				})
				if strings.HasSuffix(test.target, "/full") && !f.bodies.TryAcquire(f.config.MaxBodiesBytes) {
					t.Fatal("the quota is in use at the start")
				}
				f.caller.f = func(context.Context, *rpc.Request) (*rpc.Reply, error) { return nil, test.err }
				f.start(t)
				conn := f.dial(t)
				if err := conn.SetWriteBuffer(16 << 10); err != nil {
					t.Fatal(err)
				}
				body, header := strings.Repeat("x", test.size), fmt.Sprintf("Content-Length: %d", test.size)
				if encoding == "chunked" {
					body, header = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", test.size, body), "Transfer-Encoding: chunked"
				}
				request := strings.Join([]string{test.target + " HTTP/1.1", "Host: gateway", test.header, header, "", body}, "\r\n")
				if _, err := io.WriteString(conn, request); err != nil {
					t.Fatalf("send: %v", err)
				}
				reader := bufio.NewReader(conn)
				response, err := http.ReadResponse(reader, nil)
				if err == nil && response.StatusCode == http.StatusContinue && encoding == "chunked" { // the length is not known
					_ = response.Body.Close()
					response, err = http.ReadResponse(reader, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Errorf("read the response: %v", err)
				}
				_ = response.Body.Close()
				keep := test.keep && encoding == "length"
				if response.StatusCode != test.want || response.Close == keep {
					t.Errorf("status %d, connection closed: %t; want %d, %t", response.StatusCode, response.Close, test.want, !keep)
				}
				if !keep {
					if n, err := io.Copy(io.Discard, reader); err != nil || n > 0 {
						t.Errorf("after the response: %d bytes, %v; want the connection closed", n, err)
					}
					return
				}
				if _, err := io.WriteString(conn, head("GET", "/nowhere")); err != nil {
					t.Fatal(err)
				}
				next, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Fatalf("the next request: %v", err)
				}
				_ = next.Body.Close()
			})
		}
	}
}
