package http

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/http/httpguts"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
	"example.com/warren/pkg/rpc"
)

// patient returns settings whose limits are never reached on a busy machine.
func patient() settings {
	o := options()
	o.callTimeout, o.WriteTimeout, o.IdleTimeout = time.Minute, time.Hour, time.Hour
	return o
}

// FuzzRequest: any request gets a response, and causes at most one message, which is valid and carries the gateway's properties.
func FuzzRequest(f *testing.F) {
	authorized := "Authorization: Bearer " + validToken + "\r\n"
	for _, seed := range []string{
		"GET /v1/things?limit=2&limit=3 HTTP/1.1\r\nHost: gateway\r\n" + authorized + "\r\n",
		"HEAD /v1/things HTTP/1.0\r\n" + authorized + "\r\n",
		"POST /v1/things HTTP/1.1\r\nHost: gateway\r\n" + authorized +
			"Content-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}",
		"POST /v1/things HTTP/1.1\r\nHost: gateway\r\n" + authorized + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"POST /v1/things/a%2Fb/cancel?x=%20 HTTP/1.1\r\nHost: gateway\r\n" + authorized + "Connection: Accept, close\r\nAccept: a\r\n\r\n",
		"POST /v1/login HTTP/1.1\r\nHost: gateway\r\nrpc-identity: {\"subject\":\"1\"}\r\nContent-Length: 3\r\n\r\n{\"u",
		"GET /v1/things/7 HTTP/1.1\r\nHost: gateway\r\n" + authorized + "Authorization: Bearer x\r\n\r\n",
		"GET http://other/v1/things?%zz HTTP/1.1\r\nHost: gateway\r\n" + authorized + "\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: gateway\r\nX-Large: " + strings.Repeat("x", 13<<10) + "\r\n\r\n",
		"CONNECT gateway:80 HTTP/1.1\r\nHost: gateway\r\nX-" + strings.Repeat("n", 300) + ": x\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	server, queues := newBrokerFixture(f, patient()), queuesOf(routeTable(f, things))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		r.RemoteAddr = "192.0.2.1:1234"
		w := httptest.NewRecorder()
		server.http.Handler.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 || w.Code == http.StatusInternalServerError {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if w.Code >= http.StatusBadRequest {
			problemIn(t, w)
		}
		d := server.delivered()
		if (d != nil) != (w.Code == http.StatusOK) {
			t.Fatalf("status %d, delivered: %t", w.Code, d != nil)
		}
		if d != nil {
			checkRequestMessage(t, queues, *d, w.Header().Get("X-Correlation-Id"), r.Header["Authorization"])
		}
	})
}

func checkRequestMessage(t *testing.T, queues []string, d delivery, correlationID string, authorization []string) {
	t.Helper()
	m := d.message
	if !slices.Contains(queues, d.queue) {
		t.Errorf("queue %q belongs to no route", d.queue)
	}
	if err := driver.ValidateMessage(&m); err != nil {
		t.Error(err)
	}
	wantIDs(t, m, correlationID)
	if m.ReplyTo != "gateway.rpc.response" || m.AppID != "" || m.UserID != "gateway" || m.Type != "" {
		t.Errorf("reply to %q, app id %q, user id %q, type %q: want the gateway's, no app id, no type", m.ReplyTo, m.AppID, m.UserID, m.Type)
	}
	identity := formOf(t, m, "rpc-identity")
	switch {
	case d.queue == "users.login":
		if identity != nil {
			t.Errorf("identity %v on a public route", identity)
		}
	case len(authorization) != 1 || !strings.HasSuffix(authorization[0], " "+validToken):
		t.Errorf("called %s with %q", d.queue, authorization)
	case identity.Get("subject") != user.Subject || identity.Get("username") != user.Username || identity.Get("token-id") != user.TokenID:
		t.Errorf("identity %v, want the authenticator's", identity)
	}
}

// FuzzReply: any reply of a service becomes one response that can be parsed, with the reply's status and body, and with the
// gateway's own headers.
func FuzzReply(f *testing.F) {
	f.Add(int64(200), "Location", "/v1/things/7", "application/json", []byte(`{"id":7}`))
	f.Add(int64(201), "X-Evil", "a\r\nSet-Cookie: b=c\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "text/html\r\nX: y", []byte("<html>"))
	f.Add(int64(204), "Connection", "X-Hop", "text/plain", []byte("dropped"))
	f.Add(int64(205), "Content-Length", "999", "", []byte("dropped"))
	f.Add(int64(304), "Transfer-Encoding", "chunked", "", []byte{})
	f.Add(int64(404), "x-correlation-id", "forged", "", []byte{})
	f.Add(int64(599), "Trailer:X", "y", "\x00", bytes.Repeat([]byte("x"), 5000))
	f.Add(int64(100), "Date", "never", "text/plain", []byte("x"))
	f.Add(int64(600), "Access-Control-Allow-Origin", "*", "text/plain", []byte("x"))
	f.Add(int64(0), "", "gzip", "application/octet-stream", []byte{0x1f, 0x8b}) // of a service without package rpc
	server := newBrokerFixture(f, patient())
	server.start(f)
	connection := &persistent{addr: server.Addr()}
	f.Cleanup(connection.close)
	f.Fuzz(func(t *testing.T, status int64, name, value, contentType string, body []byte) {
		m := messaging.Message{ContentType: contentType, Body: body}
		if status == 0 {
			status, name, m.ContentEncoding = http.StatusOK, "Content-Encoding", value
		} else {
			m.Headers = map[string]any{"rpc-status": status, "rpc-headers": url.Values{name: {value, value}}.Encode()}
		}
		if driver.ValidateMessage(&m) != nil {
			return // no broker carries it
		}
		server.reply.Store(&m)
		got := connection.roundTrip(t)
		if server.delivered() == nil {
			t.Fatal("no service was called")
		}
		checkOwnHeaders(t, got.header)
		checkOtherHeaders(t, got.header, http.CanonicalHeaderKey(name), value)
		if status < 200 || status > 599 {
			wantProblem(t, got, http.StatusBadGateway)
			return
		}
		if status >= http.StatusBadRequest && len(body) == 0 {
			wantProblem(t, got, int(status))
			return
		}
		if int64(got.status) != status {
			t.Errorf("status %d, want %d", got.status, status)
		}
		if status == http.StatusNoContent || status == http.StatusResetContent || status == http.StatusNotModified {
			body = nil
		}
		if !bytes.Equal(got.body, body) {
			t.Errorf("body %q, want %q", got.body, body)
		}
		if want := expectedContentType(contentType); len(body) > 0 && got.header.Get("Content-Type") != want {
			t.Errorf("content type %q, want %q", got.header.Get("Content-Type"), want)
		}
	})
}

// usualHeaders are in every response.
var usualHeaders = []string{"Cache-Control", "Content-Length", "Content-Type", "Date", "X-Content-Type-Options", "X-Correlation-Id"}

func checkOwnHeaders(t *testing.T, header http.Header) {
	t.Helper()
	if ids := header["X-Correlation-Id"]; len(ids) != 1 || uuid.Validate(ids[0]) != nil {
		t.Errorf("X-Correlation-Id %q", ids)
	}
	if _, err := http.ParseTime(header.Get("Date")); err != nil || len(header["Date"]) != 1 {
		t.Errorf("Date %q: %v", header["Date"], err)
	}
	for name := range header {
		if hopByHop[name] && name != "Content-Length" || strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("a service set %s: %q", name, header[name])
		}
	}
}

// checkOtherHeaders fails the test for a header that neither the gateway nor the service has set.
func checkOtherHeaders(t *testing.T, header http.Header, name, value string) {
	t.Helper()
	value = strings.Trim(value, " \t")
	for other, values := range header {
		if slices.Contains(usualHeaders, other) {
			continue
		}
		if name == "Content-Encoding" && other == name { // less than the service has set
			if !slices.Equal(contentCodings(values), values) {
				t.Errorf("%s: %q in the response", name, values)
			}
			continue
		}
		if other != name || !slices.Equal(values, []string{value}) && !slices.Equal(values, []string{value, value}) {
			t.Errorf("%s: %q in the response, the service has set %s: %q", other, values, name, value)
		}
	}
}

func wantProblem(t *testing.T, got response, status int) {
	t.Helper()
	contentType := got.header.Get("Content-Type")
	if got.status != status || contentType != "application/problem+json" || !json.Valid(got.body) {
		t.Errorf("got %d %s %q, want a problem of status %d", got.status, contentType, got.body, status)
	}
}

func expectedContentType(sent string) string {
	if sent == "" || !httpguts.ValidHeaderFieldValue(sent) {
		return "application/octet-stream"
	}
	return strings.Trim(sent, " \t")
}

// response is a response as it came over a connection.
type response struct {
	status int
	header http.Header
	body   []byte
}

// persistent is a client's connection, which is dialled again after it was closed.
type persistent struct {
	addr   net.Addr
	conn   net.Conn
	reader *bufio.Reader
}

// roundTrip requests the list. Bytes after the response are an error.
func (p *persistent) roundTrip(t *testing.T) response {
	t.Helper()
	if p.conn == nil {
		conn, err := net.Dial("tcp", p.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		p.conn, p.reader = conn, bufio.NewReader(conn)
	}
	_ = p.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.WriteString(p.conn, head("GET", "/v1/things")); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(p.reader, nil)
	if err != nil {
		p.close()
		t.Fatalf("the response can't be parsed: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		t.Fatalf("the response's body can't be read: %v", err)
	}
	if n := p.reader.Buffered(); n > 0 {
		t.Errorf("%d bytes follow the response", n)
	}
	if r.Close || t.Failed() {
		p.close()
	}
	return response{r.StatusCode, r.Header, body}
}

func (p *persistent) close() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

// FuzzParams: a route's parameter is the unescaped segment of the path, and no segment leads to another route.
func FuzzParams(f *testing.F) {
	for _, seed := range []string{
		"7", "", "a%2Fb", "a%20b", "a b", "%zz", "..", "%2e%2e", "../login", "..%2f..%2fv1%2flogin", "7/cancel", "7%2Fcancel", "7//", "/",
		"7;x=1", "7?x=1", "7#x", "%00", "%0d%0aX: y", "ä", "%C3%A4", "%ff", ":id", "*", "+", "a%252Fb", "%E2%80%8B", "%2F ",
	} {
		f.Add(seed)
	}
	server := newBrokerFixture(f, patient())
	f.Fuzz(func(t *testing.T, segment string) {
		for _, route := range []struct{ method, target, queue string }{
			{http.MethodGet, "/v1/things/" + segment, "things.get"},
			{http.MethodPost, "/v1/things/" + segment + "/cancel", "things.cancel"},
		} {
			u, err := url.ParseRequestURI(route.target)
			if err != nil {
				return
			}
			if _, err := url.ParseQuery(u.RawQuery); err != nil {
				return // 400, whatever the path
			}
			r := newRequest(route.method, "/", "")
			r.URL, r.RequestURI = u, route.target
			w := httptest.NewRecorder()
			server.http.Handler.ServeHTTP(w, r)
			queue, id := expectedRoute(t, route.method, route.target)
			d := server.delivered()
			switch {
			case w.Code == http.StatusRequestHeaderFieldsTooLarge && d == nil:
			case queue == "" && (d != nil || w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed):
				t.Errorf("%s %s: status %d, called %+v; there is no such route", route.method, route.target, w.Code, d)
			case queue == "":
			case d == nil || d.queue != queue:
				t.Errorf("%s %s: status %d, called %+v, want %s", route.method, route.target, w.Code, d, queue)
			case !slices.Equal(formOf(t, d.message, "rpc-request")["param.id"], []string{id}):
				t.Errorf("%s %s: request %v, want id %q", route.method, route.target, d.message.Headers["rpc-request"], id)
			}
		}
	})
}

// expectedRoute returns the queue that a target leads to and the thing's ID, found without the router. The queue is empty if
// there is no such route.
func expectedRoute(t *testing.T, method, target string) (queue, id string) {
	t.Helper()
	path, _, _ := strings.Cut(target, "?")
	segments := strings.Split(strings.TrimPrefix(path, "/v1/things/"), "/")
	id, err := url.PathUnescape(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case method == http.MethodGet && len(segments) == 1 && id != "":
		return "things.get", id
	case method == http.MethodPost && len(segments) == 2 && segments[1] == "cancel":
		return "things.cancel", id
	default:
		return "", ""
	}
}

// bearer is the form of the Authorization header in RFC 6750, section 2.1.
var bearer = regexp.MustCompile(`^(?i:Bearer) +([A-Za-z0-9._~+/-]+=*)$`)

// FuzzBearerToken: a token is found only in a header of the form that RFC 6750 defines.
func FuzzBearerToken(f *testing.F) {
	for _, seed := range []string{
		"Bearer abc.def-ghi_jkl~+/==", "bearer  two-spaces", "Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer a\tb", "Bearer a\vb",
		"Bearer \u00a0a", "Bearer a\u00a0", "Bearer =", "Bearer a=b", "Basic Zm9v", "Bearer\tabc", " Bearer abc", "Bearer a\r\nX: y", "",
	} {
		f.Add(seed, "", false)
	}
	f.Add("Bearer one", "Bearer two", true)
	f.Fuzz(func(t *testing.T, first, second string, both bool) {
		header := http.Header{"Authorization": {first}}
		if both {
			header.Add("Authorization", second)
		}
		token, err := bearerToken(header)
		match := bearer.FindStringSubmatch(first)
		if match != nil && !both {
			if err != nil || token != match[1] {
				t.Errorf("%q: token %q, %v; want %q", first, token, err, match[1])
			}
			return
		}
		var refusal *rpc.Error
		if !errors.As(err, &refusal) || refusal.Status != http.StatusUnauthorized || refusal.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: token %q, %v; want a 401 with a challenge", header, token, err)
		}
		if token != "" {
			t.Errorf("%q: token %q next to an error", header, token)
		}
	})
}
