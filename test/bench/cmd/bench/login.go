package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"
)

// tokens is how many there are: one for each caller, since the gateway asks once for all who come at once with the same.
const tokens = 256

// logIn returns the tokens, which it gets once.
func (l *lab) logIn(ctx context.Context, url string) ([]string, error) {
	if l.tokens != nil {
		return l.tokens, nil
	}
	l.tokens = make([]string, tokens)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(4)
	for i := range l.tokens {
		work.Go(func() (err error) {
			l.tokens[i], err = login(ctx, url)
			return err
		})
	}
	return l.tokens, work.Wait()
}

// login returns a token of the demo user.
func login(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/login",
		bytes.NewBufferString(`{"username":"demo","password":"demo"}`))
	if err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	defer response.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("log in: %w %d", errStatus, response.StatusCode)
	}
	return body.AccessToken, nil
}
