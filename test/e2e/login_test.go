package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/warren/test/internal/system"
)

// TestLogin logs in and out, and makes the mistakes of a user on the way.
func TestLogin(t *testing.T) {
	s := suite.StartSystem(t)
	s.API.Want(t, 401, http.MethodPost, "/v1/logout", "")
	s.API.Want(t, 401, http.MethodPost, "/v1/login", `{"username":"demo","password":"wrong"}`)
	s.API.Want(t, 401, http.MethodPost, "/v1/login", `{"username":"stranger","password":"wrong"}`)
	s.API.Want(t, 422, http.MethodPost, "/v1/login", `{}`)
	s.API.Want(t, 400, http.MethodPost, "/v1/login", `{`)
	s.API.Want(t, 404, http.MethodGet, "/v1/nothing", "")

	demo, admin := s.API.Login(t, "demo"), s.API.Login(t, "admin")
	demo.Want(t, 204, http.MethodPost, "/v1/logout", "")
	demo.Want(t, 401, http.MethodPost, "/v1/logout", "")
	admin.Want(t, 204, http.MethodPost, "/v1/logout", "")

	suite.CheckQueues(t, "gateway.rpc.response", "access-control.login", "access-control.validateToken", "access-control.logout")
}

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

func tryLogin(ctx context.Context, s *system.System, username, password string) (status int, err error) {
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, username, password)
	r, err := s.API.Call(ctx, http.MethodPost, "/v1/login", body)
	return r.Status, err
}

// TestLoginsAtOnce logs a user in several times at once, where one failed login is the limit: the logins in progress are no
// failures. Many processors would check them in parallel.
func TestLoginsAtOnce(t *testing.T) {
	s := suite.StartSystem(t, "ACCESS_CONTROL_LOGIN_FAILURES_PER_USER=1", "ACCESS_CONTROL_LOGIN_FAILURES_PER_ADDRESS=1", "GOMAXPROCS=32")
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() {
			if status, err := tryLogin(t.Context(), s, "demo", "demo"); err != nil || status != http.StatusOK {
				t.Errorf("status %d, %v", status, err)
			}
		})
	}
	group.Wait()
}

// TestLoginsOfBusyUser logs one user in all the time, 25 times at once. Another user's login waits for a few of these
// logins, not for all that came before it.
func TestLoginsOfBusyUser(t *testing.T) {
	const atOnce, fair = 25, 15
	s := suite.StartSystem(t, "ACCESS_CONTROL_LOGIN_ATTEMPTS_PER_USER=0")
	ctx, stop := context.WithCancel(t.Context())
	var (
		group sync.WaitGroup
		done  atomic.Int32
		busy  = make(chan struct{}) // closed when 25 have ended
	)
	for range atOnce {
		group.Go(func() {
			for ctx.Err() == nil {
				status, err := tryLogin(ctx, s, "demo", "demo")
				// 502: on a slow machine all these logins take longer than one may.
				expected := []int{http.StatusOK, http.StatusTooManyRequests, http.StatusBadGateway}
				if ctx.Err() == nil && (err != nil || !slices.Contains(expected, status)) {
					t.Errorf("the busy user: status %d, %v", status, err)
				}
				if status == http.StatusOK && done.Add(1) == atOnce {
					close(busy)
				}
			}
		})
	}
	<-busy
	for range 3 {
		before := done.Load()
		s.API.Login(t, "admin")
		if between := done.Load() - before; between > fair {
			t.Errorf("%d logins of the busy user came first, want at most %d", between, fair)
		}
	}
	stop()
	group.Wait()
}
