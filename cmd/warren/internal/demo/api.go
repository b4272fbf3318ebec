package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// client keeps no connection open between requests and uses no proxy.
var client = &http.Client{
	Timeout:   10 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// demoUser is the name and the password of the user whose data services add.
const demoUser = "demo"

// session is what the requests of the guide need.
type session struct {
	Token    string
	Lifetime time.Duration // of the token
}

// newSession logs in as the user demo, through the gateway.
func newSession(ctx context.Context, url string) (session, error) {
	credentials := strings.NewReader(fmt.Sprintf(`{"username":%q,"password":%q}`, demoUser, demoUser))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/login", credentials)
	if err != nil {
		return session{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return session{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	var login struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	if err == nil {
		err = json.Unmarshal(text, &login)
	}
	if err != nil {
		return session{}, fmt.Errorf("POST %s: %w", request.URL, err)
	}
	return session{Token: login.AccessToken, Lifetime: time.Duration(login.ExpiresIn) * time.Second}, nil
}
