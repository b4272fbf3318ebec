package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// httpClient opens a connection for each request, so that none is left behind.
var httpClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

func fetch(ctx context.Context, url string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := httpClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}

// api is a user of one gateway.
type api struct {
	url   string
	token string
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// json returns a field of the answer's body.
func (a answer) json(t *testing.T, field string) any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
	return body[field]
}

func (a answer) text(t *testing.T, field string) string {
	t.Helper()
	s, _ := a.json(t, field).(string)
	if s == "" {
		t.Fatalf("no %s in %s", field, a.body)
	}
	return s
}

// call sends a request with the user's token, if any, and further header names and values.
func (u api) call(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.url+path, bytes.NewBufferString(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if u.token != "" {
		r.Header.Set("Authorization", "Bearer "+u.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := httpClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, data}, err
}

// want is call, for a status that must come. Failures are checked to be problem+json.
func (u api) want(t *testing.T, status int, method, path, body string, header ...string) answer {
	t.Helper()
	a, err := u.call(t.Context(), method, path, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
	}
	if status >= http.StatusBadRequest {
		if got := a.header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s %s: content type %q of status %d", method, path, got, status)
		}
		if id := a.header.Get("X-Correlation-Id"); id == "" || a.text(t, "correlation_id") != id {
			t.Errorf("%s %s: correlation id %q, body %s", method, path, id, a.body)
		}
	}
	return a
}

// login returns u with a token.
func (u api) login(t *testing.T, name string) api {
	t.Helper()
	a := u.want(t, http.StatusOK, http.MethodPost, "/v1/login", fmt.Sprintf(`{"username":%q,"password":%q}`, name, name))
	u.token = a.text(t, "access_token")
	return u
}

// take is how long f took.
func take(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}
