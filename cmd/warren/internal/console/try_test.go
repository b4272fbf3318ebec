package console

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// fakeGateway logs users in and repeats what it is sent.
type fakeGateway struct {
	*httptest.Server
	logins  atomic.Int32
	revoked atomic.Bool
}

func newFakeGateway(t *testing.T) *fakeGateway {
	t.Helper()
	g := &fakeGateway{}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.URL.Path == "/v1/login":
		if string(body) != `{"username":"demo","password":"secret"}` {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":900}`, g.logins.Add(1))
	case r.URL.Path == "/v1/elsewhere":
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	case r.URL.Path == "/v1/binary":
		_, _ = w.Write([]byte{0xff, 0})
	case g.revoked.Load():
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.Header().Set("X-Correlation-Id", "c-1")
		_, _ = fmt.Fprintf(w, "%s %s %s %s %s %s", r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("X-A"),
			r.Header.Get("Content-Type"), body)
	}
}

func (c *Console) tryIt(t *testing.T, request tryRequest) (tryResponse, response) {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	raw := c.send(t, http.MethodPost, "/api/try", string(body), nil)
	var out tryResponse
	_ = json.Unmarshal([]byte(raw.body), &out)
	return out, raw
}

func TestTry(t *testing.T) {
	g := newFakeGateway(t)
	c := start(t, Options{Gateway: g.URL, User: &User{"demo", "secret"}})
	got, _ := c.tryIt(t, tryRequest{Method: "GET", Path: "/v1/a?b=%2Fc"})
	if got.Status != http.StatusOK || got.Body != "GET /v1/a?b=%2Fc    " ||
		got.CorrelationID != "c-1" || got.Duration <= 0 {
		t.Errorf("got %+v", got)
	}
	post := tryRequest{Method: "POST", Path: "/v1/a", Headers: map[string]string{"X-A": "<b>"}, Body: "{}", As: "demo"}
	for _, want := range []string{"token-1", "token-1"} { // logs in once
		got, raw := c.tryIt(t, post)
		if got.Body != "POST /v1/a Bearer "+want+" <b> application/json {}" {
			t.Errorf("got %+v", got)
		}
		if strings.ContainsAny(raw.body, "<>") {
			t.Errorf("markup in %s", raw.body)
		}
	}
	g.revoked.Store(true)
	if got, _ := c.tryIt(t, post); got.Status != http.StatusUnauthorized {
		t.Errorf("with a revoked token: %+v", got)
	}
	g.revoked.Store(false)
	if got, _ := c.tryIt(t, post); !strings.Contains(got.Body, "token-2") {
		t.Errorf("after a revoked token: %+v", got)
	}
	if got, _ := c.tryIt(t, tryRequest{Method: "GET", Path: "/v1/elsewhere"}); got.Status != http.StatusFound {
		t.Errorf("redirect: %+v", got)
	}
	if got, _ := c.tryIt(t, tryRequest{Method: "GET", Path: "/v1/binary"}); got.Body != "ff 00" {
		t.Errorf("binary: %+v", got)
	}
}

// TestTryStaysAtTheGateway: nothing in a request makes the console ask another server.
func TestTryStaysAtTheGateway(t *testing.T) {
	g, other := newFakeGateway(t), newFakeGateway(t)
	host := strings.TrimPrefix(other.URL, "http://")
	c := start(t, Options{Gateway: g.URL + "/ignored", User: &User{"demo", "wrong"}})
	for name, test := range map[string]struct {
		request tryRequest
		want    int
	}{
		"user info":     {tryRequest{Method: "GET", Path: "@" + host + "/"}, http.StatusBadRequest},
		"port":          {tryRequest{Method: "GET", Path: "0/"}, http.StatusBadRequest},
		"URL":           {tryRequest{Method: "GET", Path: other.URL}, http.StatusBadRequest},
		"empty":         {tryRequest{Method: "GET"}, http.StatusBadRequest},
		"space":         {tryRequest{Method: "GET", Path: "/%zz"}, http.StatusBadRequest},
		"method":        {tryRequest{Method: "GE T", Path: "/"}, http.StatusBadRequest},
		"other user":    {tryRequest{Method: "GET", Path: "/", As: "root"}, http.StatusBadRequest},
		"header":        {tryRequest{Method: "GET", Path: "/", Headers: map[string]string{"A\r\nB": "x"}}, http.StatusBadGateway},
		"login refused": {tryRequest{Method: "GET", Path: "/", As: "demo"}, http.StatusBadGateway},
		"two slashes":   {tryRequest{Method: "GET", Path: "//" + host + "/"}, http.StatusOK},
		"host":          {tryRequest{Method: "GET", Path: "/", Headers: map[string]string{"Host": host}}, http.StatusOK},
	} {
		if _, raw := c.tryIt(t, test.request); raw.status != test.want {
			t.Errorf("%s: %d %s, want %d", name, raw.status, raw.body, test.want)
		}
	}
	for _, body := range []string{"", "x", "[]", `{"method":"GET","path":"/","body":"` + strings.Repeat("x", maxRequest) + `"}`} {
		if got := c.send(t, http.MethodPost, "/api/try", body, nil); got.status != http.StatusBadRequest {
			t.Errorf("body of %d bytes: %d %s, want 400", len(body), got.status, got.body)
		}
	}
	g.Close()
	if _, raw := c.tryIt(t, tryRequest{Method: "GET", Path: "/"}); raw.status != http.StatusBadGateway {
		t.Errorf("no gateway: %d %s, want 502", raw.status, raw.body)
	}
	if _, raw := start(t, Options{}).tryIt(t, tryRequest{Method: "GET", Path: "/"}); raw.status != http.StatusNotFound {
		t.Errorf("without a gateway: %d %s, want 404", raw.status, raw.body)
	}
	if c, err := Start(t.Context(), "127.0.0.1:0", Options{Gateway: "nonsense"}); err == nil {
		t.Errorf("console %v of a gateway without a host", c.URL())
	}
}
