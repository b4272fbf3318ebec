package system

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// oneShot opens a connection for each request, so that none is left behind.
var oneShot = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}

// Fetch gets a URL and reads the response to its end.
func Fetch(ctx context.Context, url string) (status int, body string, err error) {
	a, err := API{URL: url}.Call(ctx, http.MethodGet, "", "")
	return a.Status, string(a.Body), err
}

// API is a user of one gateway.
type API struct {
	URL    string
	Token  string       // "": nobody is logged in
	Client *http.Client // default: one that opens a connection for each request
}

// Answer is a response, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON returns a field of the answer's body.
func (a Answer) JSON(t *testing.T, field string) any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatalf("body %q: %v", a.Body, err)
	}
	return body[field]
}

// Text returns a field of the answer's body that must be a string, and not empty.
func (a Answer) Text(t *testing.T, field string) string {
	t.Helper()
	s, _ := a.JSON(t, field).(string)
	if s == "" {
		t.Fatalf("no %s in %s", field, a.Body)
	}
	return s
}

// Call sends a request with the user's token, if any, and further header names and values.
func (u API) Call(ctx context.Context, method, path, body string, header ...string) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.URL+path, bytes.NewBufferString(body))
	if err != nil {
		return Answer{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if u.Token != "" {
		r.Header.Set("Authorization", "Bearer "+u.Token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := u.Client
	if client == nil {
		client = oneShot
	}
	response, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, data}, err
}

// Want is Call, for a status that must come. Failures are checked to be problem+json.
func (u API) Want(t *testing.T, status int, method, path, body string, header ...string) Answer {
	t.Helper()
	a, err := u.Call(t.Context(), method, path, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.Status != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.Status, status, a.Body)
	}
	if status >= http.StatusBadRequest {
		if err := a.CheckProblem(); err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
	return a
}

// CheckProblem returns an error unless the answer is a failure as all of the gateway's are: problem+json (RFC 9457) with
// the correlation id that the header has, and with a Retry-After if it is 503.
func (a Answer) CheckProblem() error {
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("content type %q of status %d: %s", got, a.Status, a.Body)
	}
	var problem struct {
		CorrelationID string `json:"correlation_id"`
	}
	if err := json.Unmarshal(a.Body, &problem); err != nil {
		return fmt.Errorf("status %d: body %q: %w", a.Status, a.Body, err)
	}
	if id := a.Header.Get("X-Correlation-Id"); id == "" || problem.CorrelationID != id {
		return fmt.Errorf("status %d: correlation id %q, body %s", a.Status, id, a.Body)
	}
	if a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "" {
		return fmt.Errorf("status %d without Retry-After: %s", a.Status, a.Body)
	}
	return nil
}

// Login returns u with the token of a demo user, whose password is the name.
func (u API) Login(t *testing.T, name string) API {
	t.Helper()
	a := u.Want(t, http.StatusOK, http.MethodPost, "/v1/login", fmt.Sprintf(`{"username":%q,"password":%q}`, name, name))
	u.Token = a.Text(t, "access_token")
	return u
}
