package system

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// oneShot opens a connection for each request and closes it, so that no test leaves a connection behind.
var oneShot = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}

// Fetch gets a URL and reads the response to its end.
func Fetch(ctx context.Context, url string) (status int, body string, err error) {
	r, err := API{URL: url}.Call(ctx, http.MethodGet, "", "")
	return r.Status, string(r.Body), err
}

// API is a user of one gateway.
type API struct {
	URL    string
	Token  string       // empty before the login
	Client *http.Client // default: opens a connection for each request
}

// Response is an HTTP response, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON returns a field of the body.
func (r Response) JSON(t *testing.T, field string) any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatalf("body %q: %v", r.Body, err)
	}
	return body[field]
}

// WantFields fails t unless the body is a problem that names fields, which are separated by spaces.
func (r Response) WantFields(t *testing.T, fields string) {
	t.Helper()
	var problem struct{ Errors []struct{ Field string } }
	if err := json.Unmarshal(r.Body, &problem); err != nil {
		t.Fatal(err)
	}
	for field := range strings.FieldsSeq(fields) {
		if !slices.Contains(problem.Errors, struct{ Field string }{field}) {
			t.Errorf("errors %q, want %s", problem.Errors, field)
		}
	}
}

// Text returns a field of the body that must be a string, and not empty.
func (r Response) Text(t *testing.T, field string) string {
	t.Helper()
	s, _ := r.JSON(t, field).(string)
	if s == "" {
		t.Fatalf("no %s in %s", field, r.Body)
	}
	return s
}

// Call sends a request with the user's token, if any. Headers are names and values.
func (u API) Call(ctx context.Context, method, path, body string, headers ...string) (Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.URL+path, bytes.NewBufferString(body))
	if err != nil {
		return Response{}, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if u.Token != "" {
		request.Header.Set("Authorization", "Bearer "+u.Token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := u.Client
	if client == nil {
		client = oneShot
	}
	response, err := client.Do(request)
	if err != nil {
		return Response{}, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return Response{response.StatusCode, response.Header, data}, err
}

// Want is Call for a test that expects a status. An error response must be problem+json.
func (u API) Want(t *testing.T, status int, method, path, body string, headers ...string) Response {
	t.Helper()
	r, err := u.Call(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if r.Status != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, r.Status, status, r.Body)
	}
	if status >= http.StatusBadRequest {
		if err := r.CheckProblem(); err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
	return r
}

// CheckProblem returns an error unless the response is problem+json (RFC 9457) with the correlation ID of its header, as
// every error of the gateway is. A 503 must have Retry-After too.
func (r Response) CheckProblem() error {
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("content type %q of status %d: %s", got, r.Status, r.Body)
	}
	var problem struct {
		CorrelationID string `json:"correlation_id"`
	}
	if err := json.Unmarshal(r.Body, &problem); err != nil {
		return fmt.Errorf("status %d: body %q: %w", r.Status, r.Body, err)
	}
	if id := r.Header.Get("X-Correlation-Id"); id == "" || problem.CorrelationID != id {
		return fmt.Errorf("status %d: correlation ID %q, body %s", r.Status, id, r.Body)
	}
	if r.Status == http.StatusServiceUnavailable && r.Header.Get("Retry-After") == "" {
		return fmt.Errorf("status %d without Retry-After: %s", r.Status, r.Body)
	}
	return nil
}

// Login is LogIn for a test.
func (u API) Login(t *testing.T, name string) API {
	t.Helper()
	u, err := u.LogIn(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// LogIn returns u with the token of a demo user, whose password is the name.
func (u API) LogIn(ctx context.Context, name string) (API, error) {
	r, err := u.Call(ctx, http.MethodPost, "/v1/login", fmt.Sprintf(`{"username":%q,"password":%q}`, name, name))
	if err != nil {
		return u, fmt.Errorf("log in: %w", err)
	}
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil || r.Status != http.StatusOK || body.AccessToken == "" {
		return u, fmt.Errorf("log in: status %d, body %q", r.Status, r.Body)
	}
	u.Token = body.AccessToken
	return u, nil
}

// CallInBackground starts a call and returns a channel for its response.
func (u API) CallInBackground(t *testing.T, method, path, body string) <-chan Response {
	t.Helper()
	responses := make(chan Response, 1)
	go func() {
		r, err := u.Call(t.Context(), method, path, body)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		responses <- r
	}()
	return responses
}

// CallMeanwhile has several clients make the same call over and over until stop is called, which waits for them. Another status than
// want fails the test: what the test does to the system must cost these clients nothing.
func (u API) CallMeanwhile(t *testing.T, clients, want int, method, path, body string) (stop func()) {
	t.Helper()
	stopped := make(chan struct{})
	var calling sync.WaitGroup
	for range clients {
		calling.Go(func() {
			for {
				select {
				case <-stopped:
					return
				case <-t.Context().Done():
					return
				default:
				}
				r, err := u.Call(t.Context(), method, path, body)
				if t.Context().Err() == nil && (err != nil || r.Status != want) {
					t.Errorf("a call of another client: status %d, want %d, %v: %s", r.Status, want, err, r.Body)
				}
			}
		})
	}
	return func() {
		close(stopped)
		calling.Wait()
	}
}

// SendRaw sends text unchanged over a connection and returns the status of the response. RequestHead makes such a text.
func (u API) SendRaw(t *testing.T, text string) (status int) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: Patience}).DialContext(t.Context(), "tcp", strings.TrimPrefix(u.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(Patience))
	// The server may respond and close before it has read everything.
	go func() { _, _ = io.WriteString(conn, text) }()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// RequestHead returns the head of a request that asks the gateway to close the connection.
func RequestHead(method, target string, headers ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n" +
		strings.Join(append(headers, "", ""), "\r\n")
}
