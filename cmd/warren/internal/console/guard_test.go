package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	c := start(t, Options{})
	_, port, _ := strings.Cut(strings.TrimPrefix(c.URL(), "http://"), ":")
	const try = "POST /api/try"
	for name, test := range map[string]struct {
		request string
		headers map[string]string
		refused bool
	}{
		"page":                  {"GET /", nil, false},
		"localhost":             {"GET /api/info", map[string]string{"Host": "localhost:" + port, "Origin": "http://localhost:" + port}, false},
		"other loopback":        {"GET /", map[string]string{"Host": "[::1]:" + port}, false},
		"rebound name":          {"GET /", map[string]string{"Host": "evil.example:" + port}, true},
		"rebound name, API":     {"GET /api/info", map[string]string{"Host": "evil.example:" + port}, true},
		"name with a suffix":    {"GET /", map[string]string{"Host": "localhost.evil.example:" + port}, true},
		"other machine":         {"GET /", map[string]string{"Host": "192.168.1.5:" + port}, true},
		"other port":            {"GET /", map[string]string{"Host": "localhost:1"}, true},
		"no port":               {"GET /", map[string]string{"Host": "localhost"}, true},
		"other origin":          {"GET /api/info", map[string]string{"Origin": "http://evil.example"}, true},
		"opaque origin":         {"GET /api/info", map[string]string{"Origin": "null"}, true},
		"other loopback origin": {"GET /api/info", map[string]string{"Origin": "http://127.0.0.1:1"}, true},
		"image":                 {"GET /api/dead?queue=a.dead", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		"link to the page":      {"GET /", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		"form":                  {try, map[string]string{"Origin": "http://evil.example"}, true},
		"form without origin":   {try, map[string]string{"Origin": ""}, true},
		"spans of a website":    {"POST /v1/traces", map[string]string{"Origin": "http://evil.example"}, true},
		"spans of a service":    {"POST /v1/traces", map[string]string{"Origin": ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			method, path, _ := strings.Cut(test.request, " ")
			got := c.send(t, method, path, "", test.headers)
			if (got.status == http.StatusForbidden) != test.refused {
				t.Errorf("status %d %s, want refused: %t", got.status, got.body, test.refused)
			}
			if csp := got.header.Get("Content-Security-Policy"); csp != policy || got.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", got.header)
			}
		})
	}
}

func TestToken(t *testing.T) {
	c := start(t, Options{Token: "s3cret é"})
	for name, headers := range map[string]map[string]string{
		"none":         nil,
		"wrong":        {"Authorization": "Bearer wrong"},
		"wrong cookie": {"Cookie": tokenCookie + "=x"},
	} {
		for _, path := range []string{"/", "/api/info", "/api/info?token=wrong"} {
			if got := c.send(t, http.MethodGet, path, "", headers); got.status != http.StatusUnauthorized {
				t.Errorf("%s, %s: status %d, want 401", path, name, got.status)
			}
		}
		if got := c.send(t, http.MethodPost, "/v1/traces", "", headers); got.status != http.StatusUnauthorized {
			t.Errorf("spans, %s: status %d, want 401", name, got.status)
		}
	}
	page := c.send(t, http.MethodGet, "/", "", map[string]string{"Accept": "text/html,*/*;q=0.8"})
	if page.status != http.StatusUnauthorized || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") ||
		!strings.Contains(page.body, "?token=") {
		t.Errorf("a browser without the token: %d %s", page.status, page.body)
	}
	if got := c.send(t, http.MethodGet, "/console.css", "", nil); got.status != http.StatusOK {
		t.Errorf("the style of that page: status %d", got.status)
	}
	if got := c.send(t, http.MethodGet, "/api/info", "", map[string]string{"Authorization": "Bearer s3cret é"}); got.status != http.StatusOK {
		t.Errorf("with the token: status %d", got.status)
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { client.CheckRedirect = nil }()
	got := c.send(t, http.MethodGet, "/?token=s3cret+%C3%A9", "", nil)
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		t.Fatalf("status %d, Location %q", got.status, got.header.Get("Location"))
	}
	cookie, attributes, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	if !strings.Contains(attributes, "HttpOnly") || !strings.Contains(attributes, "SameSite=Strict") {
		t.Errorf("cookie with %s", attributes)
	}
	if got := c.send(t, http.MethodGet, "/", "", map[string]string{"Cookie": cookie}); got.status != http.StatusOK {
		t.Errorf("with the cookie: status %d", got.status)
	}
}

func TestOtherAddressNeedsToken(t *testing.T) {
	if c, err := Start(t.Context(), "0.0.0.0:0", Options{}); err == nil || !strings.Contains(err.Error(), "--token") {
		t.Errorf("console %v, error %v, want one that names --token", c, err)
	}
	c, err := Start(t.Context(), "0.0.0.0:0", Options{Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for host, want := range map[string]int{"192.168.1.5": http.StatusOK, "evil.example": http.StatusForbidden} {
		headers := map[string]string{"Host": host + ":" + c.port, "Authorization": "Bearer x"}
		if got := c.send(t, http.MethodGet, "/", "", headers); got.status != want {
			t.Errorf("Host %s: status %d, want %d", host, got.status, want)
		}
	}
}
