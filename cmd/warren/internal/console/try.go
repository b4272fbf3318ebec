package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	tryTimeout   = 30 * time.Second
	maxRequest   = 1 << 20 // bytes of a request to the API
	maxResponse  = 1 << 20 // bytes of the gateway's response
	tokenReserve = 10 * time.Second
)

// gatewayClient sends what users try. It uses no proxy and follows no redirect, which could lead elsewhere.
var gatewayClient = &http.Client{
	Timeout:       tryTimeout,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// login is the token of Options.User.
type login struct {
	mu    sync.Mutex // guards the fields below
	token string
	until time.Time
}

// readJSON decodes the body of a request to the API.
func readJSON(r *http.Request, value any) error {
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxRequest)).Decode(value); err != nil {
		return fail(http.StatusBadRequest, "read the request: %v", err)
	}
	return nil
}

type (
	tryRequest struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
		As      string            `json:"as"`
	}
	tryResponse struct {
		Status        int               `json:"status"`
		Headers       map[string]string `json:"headers"`
		Body          string            `json:"body"`
		Duration      float64           `json:"duration_ms"`
		CorrelationID string            `json:"correlation_id"`
	}
)

// try sends a request to the gateway, as Options.User if the request asks for it.
func (c *Console) try(r *http.Request) (any, error) {
	var t tryRequest
	if err := readJSON(r, &t); err != nil {
		return nil, err
	}
	switch {
	case c.gateway == nil:
		return nil, fail(http.StatusNotFound, "the console has no gateway")
	case !strings.HasPrefix(t.Path, "/"):
		return nil, fail(http.StatusBadRequest, "the path does not begin with /")
	case t.As != "" && (c.options.User == nil || t.As != c.options.User.Username):
		return nil, fail(http.StatusBadRequest, "the console cannot log in as %s", t.As)
	}
	token := ""
	if t.As != "" {
		var err error
		if token, err = c.logIn(r.Context()); err != nil {
			return nil, err
		}
	}
	out, err := c.ask(r.Context(), t, token)
	if err != nil {
		return nil, err
	}
	if token != "" && out.Status == http.StatusUnauthorized { // it was revoked
		c.login.mu.Lock()
		c.login.until = time.Time{}
		c.login.mu.Unlock()
	}
	return out, nil
}

// ask sends a request to the gateway, and to no other server.
func (c *Console) ask(ctx context.Context, t tryRequest, token string) (*tryResponse, error) {
	request, err := http.NewRequestWithContext(ctx, t.Method, c.gateway.Scheme+"://"+c.gateway.Host+t.Path, strings.NewReader(t.Body))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "%v", err)
	}
	if request.URL.Host != c.gateway.Host {
		return nil, fail(http.StatusBadRequest, "the path names another server")
	}
	if t.Body != "" {
		request.Header.Set("Content-Type", jsonType)
	}
	for name, value := range t.Headers {
		request.Header.Set(name, value)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	began := time.Now()
	response, err := gatewayClient.Do(request)
	if err != nil {
		return nil, fail(http.StatusBadGateway, "send the request to the gateway: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return nil, fail(http.StatusBadGateway, "read the gateway's response: %v", err)
	}
	out := &tryResponse{
		Status: response.StatusCode, Headers: map[string]string{}, Body: string(body), Duration: milliseconds(time.Since(began).Nanoseconds()),
		CorrelationID: response.Header.Get("X-Correlation-Id"),
	}
	if !utf8.Valid(body) {
		out.Body = fmt.Sprintf("% x", body)
	}
	for name, values := range response.Header {
		out.Headers[name] = strings.Join(values, ", ")
	}
	return out, nil
}

// logIn returns the user's token, and logs in if there is none.
func (c *Console) logIn(ctx context.Context) (string, error) {
	c.login.mu.Lock()
	defer c.login.mu.Unlock()
	if time.Now().Before(c.login.until) {
		return c.login.token, nil
	}
	credentials, err := json.Marshal(c.options.User) //nolint:gosec // it goes to the gateway
	if err != nil {
		return "", err
	}
	response, err := c.ask(ctx, tryRequest{Method: http.MethodPost, Path: prefix + "/login", Body: string(credentials)}, "")
	if err != nil {
		return "", err
	}
	var issued struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	err = json.Unmarshal([]byte(response.Body), &issued)
	if response.Status != http.StatusOK || err != nil || issued.AccessToken == "" {
		return "", fail(http.StatusBadGateway, "log in to the gateway as %s: status %d", c.options.User.Username, response.Status)
	}
	c.login.token = issued.AccessToken
	c.login.until = time.Now().Add(time.Duration(issued.ExpiresIn)*time.Second - tokenReserve)
	return c.login.token, nil
}
