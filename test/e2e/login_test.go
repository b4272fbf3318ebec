package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
)

// TestLoginLimit guesses a user's password until the gateway refuses further guesses. A claimed address does not help the
// guesser, and other users can still log in.
func TestLoginLimit(t *testing.T) {
	const limit = 3
	s := suite.StartSystem(t, "ACCESS_CONTROL_LOGIN_FAILURES_PER_USER="+strconv.Itoa(limit))
	guess := func(i, status int) string {
		body := fmt.Sprintf(`{"username":"demo","password":"guess %d"}`, i)
		claimed := fmt.Sprintf("192.0.2.%d", i)
		r := s.API.Want(t, status, http.MethodPost, "/v1/login", body, "X-Forwarded-For", claimed, "X-Real-Ip", claimed)
		return r.Header.Get("Retry-After")
	}
	for i := range limit {
		guess(i, http.StatusUnauthorized)
	}
	for i := range 2 {
		if seconds, err := strconv.Atoi(guess(limit+i, http.StatusTooManyRequests)); err != nil || seconds < 1 {
			t.Errorf("Retry-After: %d, %v", seconds, err)
		}
	}
	s.API.Want(t, http.StatusTooManyRequests, http.MethodPost, "/v1/login", `{"username":"demo","password":"demo"}`)
	s.API.Login(t, "admin")
}

// TestLoginLimitOfAddress tries one password for many users from one address until the gateway refuses further logins.
func TestLoginLimitOfAddress(t *testing.T) {
	const limit = 3
	s := suite.StartSystem(t, "ACCESS_CONTROL_LOGIN_FAILURES_PER_ADDRESS="+strconv.Itoa(limit))
	for i := range limit + 2 {
		status := http.StatusUnauthorized
		if i >= limit {
			status = http.StatusTooManyRequests
		}
		body := fmt.Sprintf(`{"username":"user-%d","password":"demo"}`, i)
		s.API.Want(t, status, http.MethodPost, "/v1/login", body, "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
	}
}
