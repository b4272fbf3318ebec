package console

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// policy keeps the page to itself: nothing from elsewhere runs in it or frames it.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const tokenCookie = "warren_console"

// guard refuses requests that other websites make through a user's browser, and those without the token.
func (c *Console) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		if reason := c.foreign(r); reason != "" {
			writeError(w, fail(http.StatusForbidden, "%s", reason))
			return
		}
		if c.options.Token == "" || c.isToken(bearer(r)) || r.URL.Path == "/console.css" { // the style of token.html
			next.ServeHTTP(w, r)
			return
		}
		if r.Method == http.MethodGet && c.isToken(r.URL.Query().Get("token")) {
			http.SetCookie(w, &http.Cookie{ //nolint:gosec // the console speaks plain HTTP
				Name: tokenCookie, Value: url.QueryEscape(c.options.Token), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
			})
			http.Redirect(w, r, "/", http.StatusSeeOther) // takes the token out of the address
			return
		}
		if strings.Contains(r.Header.Get("Accept"), "text/html") { // a browser
			page, _ := web.ReadFile("web/token.html") // is embedded
			header.Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(page) // an error means that the client has gone
			return
		}
		writeError(w, fail(http.StatusUnauthorized, "open the page with ?token=…, or send the header Authorization: Bearer …"))
	})
}

// foreign returns why a request is not from this console's page or from a program, or "". The Host header defeats DNS rebinding,
// by which a website gives its own name this machine's address.
func (c *Console) foreign(r *http.Request) string {
	if !c.isHost(r.Host) {
		return "the header Host names another server"
	}
	api := strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/v1/")
	origin := r.Header.Get("Origin")
	_, host, _ := strings.Cut(origin, "://")
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case origin != "" && host != r.Host:
		return "the header Origin names another website"
	case origin == "" && api && r.Method != http.MethodGet && r.URL.Path != tracesPath:
		return "the header Origin is missing"
	case api && site != "" && site != "same-origin" && site != "none":
		return "the request is from another website"
	}
	return ""
}

// isHost reports whether a Host header names this console: by the host that it was told to listen at, as localhost, or by an
// address. An address can't be rebound.
func (c *Console) isHost(header string) bool {
	host, port, err := net.SplitHostPort(header)
	if err != nil || port != c.port {
		return false
	}
	host = strings.ToLower(host)
	listens, ip := net.ParseIP(c.host), net.ParseIP(host)
	everywhere := c.host == "" || listens != nil && listens.IsUnspecified()
	return host == c.host || host == "localhost" || ip != nil && (ip.IsLoopback() || everywhere)
}

func (c *Console) isToken(s string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(c.options.Token)) == 1
}

// bearer returns the token of a program's header or of a browser's cookie.
func bearer(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	cookie, err := r.Cookie(tokenCookie)
	if err != nil {
		return ""
	}
	token, _ := url.QueryUnescape(cookie.Value)
	return token
}
