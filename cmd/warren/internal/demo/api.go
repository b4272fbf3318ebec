package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client keeps no connection open between requests and uses no proxy.
var client = &http.Client{
	Timeout:   10 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// maxResponseBytes bounds how much of a response is read.
const maxResponseBytes = 1 << 20

// session is what the requests of the guide need.
type session struct {
	Token    string
	Lifetime time.Duration // of the token
	OrderID  string        // an order that can be cancelled
}

// newSession logs in as the user demo, through the gateway.
func newSession(ctx context.Context, url string) (session, error) {
	var login struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	credentials := map[string]string{"username": "demo", "password": "demo"}
	if err := call(ctx, http.MethodPost, url+"/v1/login", "", credentials, &login); err != nil {
		return session{}, err
	}
	var page struct {
		Orders []struct {
			ID string `json:"id"`
		} `json:"orders"`
	}
	if err := call(ctx, http.MethodGet, url+"/v1/orders?status=pending&limit=1", login.AccessToken, nil, &page); err != nil {
		return session{}, err
	}
	if len(page.Orders) == 0 {
		return session{}, errors.New("the demo user has no pending order")
	}
	return session{
		Token:    login.AccessToken,
		Lifetime: time.Duration(login.ExpiresIn) * time.Second,
		OrderID:  page.Orders[0].ID,
	}, nil
}

// call sends in as JSON, or no body if it is nil, and decodes the response into out. Any status but 200 is an error.
func call(ctx context.Context, method, url, token string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, url, &body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %d: %s", method, url, response.StatusCode, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	return nil
}
