package http

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"example.com/warren/pkg/messaging"
)

// spoofValue is valid as a string, a number, a time and a queue, and is not used anywhere else.
const spoofValue = "1999999999"

// clientRequest is an HTTP request, byte by byte.
type clientRequest struct {
	target  string // of a POST
	headers []string
	body    string
	limit   time.Duration // of the call that it becomes
}

func (r clientRequest) with(headers ...string) clientRequest {
	r.headers = append(slices.Clone(r.headers), headers...)
	return r
}

func (r clientRequest) String() string {
	lines := append([]string{
		"POST " + r.target + " HTTP/1.1", "Host: gateway", "Accept: text/plain", "Content-Type: application/json",
		"Idempotency-Key: key", fmt.Sprintf("Content-Length: %d", len(r.body)),
	}, r.headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + r.body
}

var (
	byUser = clientRequest{
		target: "/v1/things?keep=1", headers: []string{"Authorization: Bearer " + validToken}, body: `{}`, limit: time.Hour,
	}
	byAnonymous = clientRequest{target: "/v1/login?keep=1", body: `{}`, limit: 10 * time.Second} // the route's own
	withID      = clientRequest{target: "/v1/things/7/cancel?keep=1", headers: byUser.headers, body: `{}`, limit: byUser.limit}
)

// spoofing is a server whose call limits are too long for any test to reach them.
type spoofing struct{ *brokerFixture }

func newSpoofing(t *testing.T) spoofing {
	t.Helper()
	o := options()
	o.callTimeout, o.WriteTimeout = byUser.limit, 2*byUser.limit
	f := newBrokerFixture(t, o)
	f.start(t)
	return spoofing{f}
}

// send returns the message that the request became. It checks the fields that must always be the gateway's own.
func (f spoofing) send(t *testing.T, r clientRequest) delivery {
	t.Helper()
	before := time.Now()
	status, correlationID := roundTrip(t, f.Addr(), r.String())
	if status != http.StatusOK {
		t.Fatalf("status %d for:\n%s", status, r)
	}
	d := f.delivered()
	if d == nil {
		t.Fatalf("no service got:\n%s", r)
	}
	m := d.message
	m.Headers["rpc-request"] = formOf(t, m, "rpc-request").Encode() // in the order that takeData leaves
	wantIDs(t, m, correlationID)
	if m.TTL > r.limit || m.TTL < r.limit/10 {
		t.Errorf("TTL %s, want about %s", m.TTL, r.limit)
	}
	if m.Timestamp.Before(before.Add(-time.Second)) || m.Timestamp.After(time.Now()) {
		t.Errorf("timestamp %s, want now", m.Timestamp)
	}
	ms, _ := m.Headers["rpc-deadline"].(int64)
	if left := time.UnixMilli(ms).Sub(before); left > r.limit+time.Minute || left < r.limit/10 {
		t.Errorf("deadline in %s, want about %s", left, r.limit)
	}
	if queues, want := f.broker.TakeAddressed(), []string{d.queue, d.queue}; !slices.Equal(queues, want) {
		t.Errorf("the gateway addressed the queues %q, want %q", queues, want)
	}
	return *d
}

// roundTrip sends bytes and returns the response's status and correlation id.
func roundTrip(t *testing.T, addr net.Addr, request string) (status int, correlationID string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("X-Correlation-Id")
}

// wantIDs checks that the message has the ID that the client got, and a secret that the client did not get.
func wantIDs(t *testing.T, m messaging.Message, correlationID string) {
	t.Helper()
	for _, s := range []string{m.ID, m.CorrelationID} {
		if id, err := uuid.Parse(s); err != nil || id.Version() != 4 {
			t.Errorf("id %q is no UUID v4", s)
		}
	}
	if m.ID != correlationID || m.CorrelationID == correlationID {
		t.Errorf("id %q, secret %q, X-Correlation-Id %q: want the first to be the last, and a secret", m.ID, m.CorrelationID, correlationID)
	}
}

// wantSame fails the test if two messages differ in more than the gateway's own fields, which send has checked.
func wantSame(t *testing.T, what string, want, got delivery) {
	t.Helper()
	options := cmp.Options{
		cmpopts.IgnoreFields(messaging.Message{}, "ID", "CorrelationID", "Timestamp", "TTL"),
		cmpopts.IgnoreMapEntries(func(name string, _ any) bool { return name == "rpc-deadline" }),
		cmp.AllowUnexported(delivery{}),
	}
	if diff := cmp.Diff(want, got, options); diff != "" {
		t.Errorf("%s: message (-without the spoof +with it):\n%s", what, diff)
	}
}

// formOf parses one of a message's forms; nil if it is not there.
func formOf(t *testing.T, m messaging.Message, name string) url.Values {
	t.Helper()
	value, ok := m.Headers[name]
	if !ok {
		return nil
	}
	s, ok := value.(string)
	if !ok {
		t.Fatalf("%s is %T, not a string", name, value)
	}
	form, err := url.ParseQuery(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return form
}

// takeData removes entries from a message's request, after checking that each is either what was sent or absent.
func takeData(t *testing.T, m messaging.Message, prefix string, sent map[string][]string) {
	t.Helper()
	form := formOf(t, m, "rpc-request")
	for name, want := range sent {
		if got, ok := form[prefix+name]; ok && !slices.Equal(got, want) {
			t.Errorf("the request holds %q: %q, want %q or nothing", prefix+name, got, want)
		}
		delete(form, prefix+name)
	}
	m.Headers["rpc-request"] = form.Encode()
}

// variants returns the spellings of a name that code might confuse with it.
func variants(name string) []string {
	var out []string
	for _, v := range []string{
		name, strings.ToUpper(name), strings.ToLower(name), http.CanonicalHeaderKey(name),
		strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "_", "-"), "rpc-" + name, "amqp-" + name,
	} {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// headerVariants returns those that the gateway does not refuse as a header.
func headerVariants(name string) []string {
	return slices.DeleteFunc(variants(name), func(v string) bool { return http.CanonicalHeaderKey(v) == "Content-Encoding" })
}

// TestSpoofing: no name with a meaning inside the system has a meaning in a client's request. It sends each name in every place
// of a request, and compares the message that a service gets with the one of the same request without the name.
func TestSpoofing(t *testing.T) {
	f := newSpoofing(t)
	honest := map[string]delivery{}
	for _, r := range []clientRequest{byUser, byAnonymous, withID} {
		honest[r.target] = f.send(t, r)
	}
	if identity := honest[byUser.target].message.Headers["rpc-identity"]; identity == nil {
		t.Fatal("no identity in the message of a user")
	}
	if identity := honest[byAnonymous.target].message.Headers["rpc-identity"]; identity != nil {
		t.Fatalf("identity %v in the message of an anonymous caller", identity)
	}
	for _, name := range internalNames(t) {
		t.Run(name, func(t *testing.T) {
			for _, r := range []clientRequest{byUser, byAnonymous} {
				f.spoofHeaders(t, r, honest[r.target], name)
				f.spoofNamedHeaders(t, r, honest[r.target], name)
				f.spoofQuery(t, r, honest[r.target], name)
				f.spoofBody(t, r, honest[r.target], name)
			}
			f.spoofParams(t, honest[withID.target], name)
		})
	}
}

func (f spoofing) spoofHeaders(t *testing.T, r clientRequest, honest delivery, name string) {
	t.Helper()
	sent := map[string][]string{}
	for _, v := range headerVariants(name) {
		values := []string{spoofValue, `{"subject":"` + spoofValue + `"}`, "&subject=" + spoofValue}
		for _, value := range values {
			r = r.with(v + ": " + value)
		}
		sent[http.CanonicalHeaderKey(v)] = append(sent[http.CanonicalHeaderKey(v)], values...)
	}
	delete(sent, "X-Forwarded-For") // the gateway's own, in every message
	got := f.send(t, r)
	takeData(t, got.message, "header.", sent)
	wantSame(t, "in headers", honest, got)
}

// spoofNamedHeaders also names the headers in Connection, which may remove what the client itself has sent and nothing else.
func (f spoofing) spoofNamedHeaders(t *testing.T, r clientRequest, honest delivery, name string) {
	t.Helper()
	for _, v := range headerVariants(name) {
		r = r.with("Connection: "+v, v+": "+spoofValue)
	}
	wantSame(t, "in headers that Connection names", honest, f.send(t, r))
}

func (f spoofing) spoofQuery(t *testing.T, r clientRequest, honest delivery, name string) {
	t.Helper()
	sent := map[string][]string{}
	for _, v := range variants(name) {
		r.target += "&" + url.QueryEscape(v) + "=" + spoofValue + "&" + url.QueryEscape(v) + "=2&" +
			url.QueryEscape(v+"[subject]") + "=" + spoofValue
		sent[v], sent[v+"[subject]"] = []string{spoofValue, "2"}, []string{spoofValue}
	}
	got := f.send(t, r)
	takeData(t, got.message, "query.", sent)
	wantSame(t, "in the query", honest, got)
}

func (f spoofing) spoofBody(t *testing.T, r clientRequest, honest delivery, name string) {
	t.Helper()
	var fields []string
	for _, v := range variants(name) {
		fields = append(fields, fmt.Sprintf(`%q:%q,%q:{"subject":%q,%q:%s}`, v, spoofValue, v, spoofValue, v, spoofValue))
	}
	r.body = "{" + strings.Join(fields, ",") + "}"
	got := f.send(t, r)
	if !bytes.Equal(got.message.Body, []byte(r.body)) {
		t.Errorf("body %q, want %q", got.message.Body, r.body)
	}
	got.message.Body = honest.message.Body
	wantSame(t, "in the body", honest, got)
}

func (f spoofing) spoofParams(t *testing.T, honest delivery, name string) {
	t.Helper()
	for _, id := range []string{
		name, name + "=" + spoofValue, "7&" + name + "=1", "../" + name, name + "/login", "7/" + name, "7;" + name + "=1", "7?" + name,
	} {
		r := withID
		r.target = "/v1/things/" + url.PathEscape(id) + "/cancel?keep=1"
		got := f.send(t, r)
		request, want := formOf(t, got.message, "rpc-request"), formOf(t, honest.message, "rpc-request")
		if values := request["param.id"]; !slices.Equal(values, []string{id}) {
			t.Errorf("id %q, want %q", values, id)
		}
		if path := "/v1/things/" + id + "/cancel"; !slices.Equal(request["path"], []string{path}) {
			t.Errorf("path %q, want %q", request["path"], path)
		}
		request["param.id"], request["path"] = want["param.id"], want["path"]
		got.message.Headers["rpc-request"] = request.Encode()
		wantSame(t, "in the path", honest, got)
	}
}

// TestConnectionNamesHeaders: a client can have its own headers dropped (RFC 9110, section 7.6.1), but no header or property that
// the gateway sets.
func TestConnectionNamesHeaders(t *testing.T) {
	f := newSpoofing(t)
	honest := f.send(t, byUser)
	tests := map[string][]string{ // and what goes
		"Authorization":                      nil,
		"Content-Type":                       nil,
		"Content-Length":                     nil,
		"Host":                               nil,
		"Connection":                         nil,
		"X-Forwarded-For":                    nil,
		"X-Correlation-Id":                   nil,
		"rpc-identity":                       nil,
		"Idempotency-Key":                    {"Idempotency-Key"},
		"keep-alive, idempotency-key,ACCEPT": {"Idempotency-Key", "Accept"},
		" Accept ,,\t;, \"Host\"":            {"Accept"},
	}
	for named, gone := range tests {
		t.Run(named, func(t *testing.T) {
			got := f.send(t, byUser.with("Connection: "+named, "X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 10.0.0.2"))
			request, all := formOf(t, got.message, "rpc-request"), formOf(t, honest.message, "rpc-request")
			for _, name := range gone {
				if request["header."+name] != nil {
					t.Errorf("%s was passed on", name)
				}
				request["header."+name] = all["header."+name]
			}
			got.message.Headers["rpc-request"] = request.Encode()
			wantSame(t, "with Connection: "+named, honest, got)
		})
	}
}
