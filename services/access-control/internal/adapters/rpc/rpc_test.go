package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service/servicetest"
	"example.com/warren/services/access-control/internal/app"
	"example.com/warren/services/access-control/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lifetime = 15 * time.Minute

var (
	now       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	expiry    = now.Add(lifetime)
	errBroken = errors.New("broken")
)

// world fakes the ports of the use cases, but for Tokens.
type world struct {
	err        error         // returned by every call, if not nil
	retryAfter time.Duration // of logins, if not 0
	gate       chan struct{} // logins begin when it is closed; nil: at once

	mu        sync.Mutex
	revoked   map[string]time.Time
	verified  int
	addresses []netip.Addr // of logins
}

func (w *world) Begin(_ context.Context, _ string, address netip.Addr) (end func(failed bool), err error) {
	w.mu.Lock()
	w.addresses = append(w.addresses, address)
	w.mu.Unlock()
	if w.gate != nil {
		<-w.gate
	}
	if w.retryAfter != 0 {
		return nil, &domain.TooManyLoginsError{RetryAfter: w.retryAfter}
	}
	return func(bool) {}, nil
}

func (w *world) begun() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.addresses)
}

func (w *world) UserByName(_ context.Context, username string) (domain.User, error) {
	if w.err != nil {
		return domain.User{}, w.err
	}
	if username != "ann" {
		return domain.User{}, domain.ErrUserNotFound
	}
	return domain.User{ID: "user-1", Username: "ann", PasswordHash: "hash of secret", Scopes: []string{"orders:read"}}, nil
}

func (w *world) AddUser(context.Context, domain.User) error { return errBroken }

func (w *world) ReplacePasswordHash(context.Context, string, string, string) error { return errBroken }

func (w *world) Hash(string) (string, error) { return "", errBroken }

func (w *world) IsOutdated(string) bool { return false }

func (w *world) Verify(hash, password string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verified++
	if hash != "hash of "+password {
		return domain.ErrInvalidCredentials
	}
	return nil
}

func (w *world) Revoke(_ context.Context, r domain.Revocation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoked[r.TokenID] = r.Until
	return w.err
}

func (w *world) IsRevoked(_ context.Context, tokenID string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, revoked := w.revoked[tokenID]
	return revoked, w.err
}

// tokens fakes Tokens: a token is "good", "without scopes", or the text of the error that Verify returns.
type tokens struct{}

func (tokens) Sign(claims domain.Claims) (string, error) {
	if claims.Subject != "user-1" {
		return "", errBroken
	}
	return "good", nil
}

func (tokens) Verify(_ context.Context, token string) (domain.Claims, error) {
	claims := domain.Claims{
		TokenID: "token-1", Subject: "user-1", Username: "ann", Scopes: []string{"orders:read"}, IssuedAt: now, ExpiresAt: expiry,
	}
	switch token {
	case "good":
		return claims, nil
	case "without scopes":
		claims.Scopes = nil
		return claims, nil
	}
	for _, err := range []error{
		domain.ErrTokenMalformed, domain.ErrTokenInvalid, domain.ErrTokenNotYetValid, domain.ErrTokenExpired,
	} {
		if token == err.Error() {
			return domain.Claims{}, fmt.Errorf("%w: details", err)
		}
	}
	return domain.Claims{}, errBroken
}

// fixture is the service behind a broker, and a client of it.
type fixture struct {
	client *rpc.Client
	broker *servicetest.Recorder // the service's connection
	world  *world
	log    *servicetest.Log
	stop   func() // stops the service
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	log := new(servicetest.Log)
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := &world{revoked: map[string]time.Time{}}
	queues := inmem.NewServer()
	broker := servicetest.Record(queues.ConnectAs("access-control"))
	server := rpc.NewServer(broker, rpc.ServerOptions{
		Name: "access-control", Logger: logger, IdentityLeeway: math.MaxInt64, // the tests' time stands still
		Interceptors: []rpc.Interceptor{rpc.Logging(logger, slog.LevelDebug)},
	})
	Register(server, app.NewAccessControl(app.Ports{
		Users: w, Revocations: w, Passwords: w, Limiter: w, Tokens: tokens{},
		Now: func() time.Time { return now }, Logger: logger,
	}, lifetime))
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(server.Drain(ctx), broker.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &fixture{client: servicetest.NewClient(t, queues), broker: broker, world: w, log: log, stop: stop}
}

func (f *fixture) call(t *testing.T, queue, body string, identity *rpc.Identity) *rpc.Reply {
	t.Helper()
	request := &rpc.Request{Queue: queue, Identity: identity, Body: []byte(body)}
	if body != "" {
		request.ContentType = "application/json"
	}
	reply, err := f.client.Do(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func object(t *testing.T, reply *rpc.Reply) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(reply.Body, &object); err != nil {
		t.Fatalf("%s: %v", reply.Body, err)
	}
	return object
}

func TestLogin(t *testing.T) {
	reply := newFixture(t).call(t, "access-control.login", `{"username":"ann","password":"secret"}`, nil)
	if reply.Status != http.StatusOK || reply.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, header %v", reply.Status, reply.Header)
	}
	want := map[string]any{"access_token": "good", "token_type": "Bearer", "expires_in": 900.}
	if diff := cmp.Diff(want, object(t, reply)); diff != "" {
		t.Error(diff)
	}
}

func TestLoginTellsNothingOfTheUser(t *testing.T) {
	f := newFixture(t)
	var replies []map[string]any
	for _, body := range []string{`{"username":"ann","password":"wrong"}`, `{"username":"bob","password":"secret"}`} {
		reply := f.call(t, "access-control.login", body, nil)
		if reply.Status != http.StatusUnauthorized || reply.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: status %d, header %v", body, reply.Status, reply.Header)
		}
		problem := object(t, reply)
		if problem["type"] != "urn:problem-type:invalid-credentials" {
			t.Errorf("%s: type %s", body, problem["type"])
		}
		delete(problem, "correlation_id")
		replies = append(replies, problem)
	}
	if diff := cmp.Diff(replies[0], replies[1]); diff != "" {
		t.Error(diff)
	}
}

func TestTooManyLogins(t *testing.T) {
	tests := []struct {
		retryAfter time.Duration
		want       string
	}{
		{time.Nanosecond, "1"},
		{time.Second, "1"},
		{time.Second + time.Nanosecond, "2"},
		{30 * time.Second, "30"},
		{24 * time.Hour, "86400"},
	}
	for _, test := range tests {
		t.Run(test.retryAfter.String(), func(t *testing.T) {
			f := newFixture(t)
			f.world.retryAfter = test.retryAfter
			for _, username := range []string{"ann", "bob"} {
				reply := f.call(t, "access-control.login", `{"username":"`+username+`","password":"secret"}`, nil)
				if reply.ContentType != "application/problem+json" || reply.Header.Get("Retry-After") != test.want {
					t.Errorf("%s: %s, header %v", username, reply.ContentType, reply.Header)
				}
				problem := object(t, reply)
				delete(problem, "correlation_id")
				want := map[string]any{
					"type": "urn:problem-type:too-many-logins", "title": "Too Many Requests", "status": 429.,
					"detail": "too many logins: try again later",
				}
				if diff := cmp.Diff(want, problem); diff != "" || reply.Status != http.StatusTooManyRequests {
					t.Errorf("%s: status %d: %s", username, reply.Status, diff)
				}
			}
			if f.world.verified != 0 {
				t.Errorf("%d passwords were checked", f.world.verified)
			}
		})
	}
}

func TestLoginAddress(t *testing.T) {
	tests := map[string]struct {
		header http.Header
		want   netip.Addr
	}{
		"none":          {nil, netip.Addr{}},
		"IPv4":          {http.Header{"X-Forwarded-For": {"192.0.2.7"}}, netip.MustParseAddr("192.0.2.7")},
		"IPv6":          {http.Header{"X-Forwarded-For": {"2001:db8::7"}}, netip.MustParseAddr("2001:db8::7")},
		"other headers": {http.Header{"Forwarded": {"for=192.0.2.7"}, "X-Real-Ip": {"192.0.2.7"}}, netip.Addr{}},
		"no address":    {http.Header{"X-Forwarded-For": {"localhost"}}, netip.Addr{}},
		"several":       {http.Header{"X-Forwarded-For": {"192.0.2.7, 192.0.2.8"}}, netip.Addr{}},
		"with a port":   {http.Header{"X-Forwarded-For": {"192.0.2.7:80"}}, netip.Addr{}},
		"empty string":  {http.Header{"X-Forwarded-For": {""}}, netip.Addr{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			reply, err := f.client.Do(t.Context(), &rpc.Request{
				Queue: "access-control.login", Header: test.header, ContentType: "application/json",
				Body: []byte(`{"username":"ann","password":"secret"}`),
			})
			if err != nil || reply.Status != http.StatusOK {
				t.Fatalf("got %v, %v", reply, err)
			}
			if got := f.world.addresses; !slices.Equal(got, []netip.Addr{test.want}) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// The limiter sees the logins in progress, and decides which is the next. In the broker's queue, those of a busy user would
// stand before all later ones.
func TestLoginsWaitForTheLimiter(t *testing.T) {
	f := newFixture(t)
	f.world.gate = make(chan struct{})
	const logins = 300
	var group sync.WaitGroup
	for range logins {
		group.Go(func() {
			_, err := rpc.Call[credentials, accessToken](t.Context(), f.client, "access-control.login",
				credentials{Username: "ann", Password: "secret"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	awaittest.Until(t, "all logins in progress", func() bool { return f.world.begun() == logins })
	close(f.world.gate)
	group.Wait()
}

func TestLoginRejectsBadInput(t *testing.T) {
	f := newFixture(t)
	of := func(username, password string) string {
		body, err := json.Marshal(map[string]string{"username": username, "password": password})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	tests := []struct {
		name, body string
		want       int
		field      string
	}{
		{"no body", "", http.StatusUnprocessableEntity, "username"},
		{"not JSON", "hello", http.StatusBadRequest, ""},
		{"nothing", "{}", http.StatusUnprocessableEntity, "username"},
		{"no username", of("", "secret"), http.StatusUnprocessableEntity, "username"},
		{"no password", of("ann", ""), http.StatusUnprocessableEntity, "password"},
		{"long username", of(strings.Repeat("a", 65), "secret"), http.StatusUnprocessableEntity, "username"},
		{"longest username", of(strings.Repeat("a", 64), "secret"), http.StatusUnauthorized, ""},
		{"long password", of("ann", strings.Repeat("x", 73)), http.StatusUnprocessableEntity, "password"},
		{"long password in few characters", of("ann", strings.Repeat("ü", 37)), http.StatusUnprocessableEntity, "password"},
		{"longest password", of("ann", strings.Repeat("x", 72)), http.StatusUnauthorized, ""},
		{"password with NUL", of("ann", "secret\x00secret"), http.StatusUnprocessableEntity, "password"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reply := f.call(t, "access-control.login", test.body, nil)
			if reply.Status != test.want {
				t.Errorf("status %d, want %d", reply.Status, test.want)
			}
			if test.field != "" && !strings.Contains(string(reply.Body), `"field":"`+test.field+`"`) {
				t.Errorf("the reply does not name the field %s: %s", test.field, reply.Body)
			}
		})
	}
}

func TestValidateToken(t *testing.T) {
	f := newFixture(t)
	good := map[string]any{
		"active": true, "subject": "user-1", "username": "ann", "scopes": []any{"orders:read"}, "token_id": "token-1",
		"expires_at": float64(expiry.Unix()),
	}
	inactive := func(reason string) map[string]any { return map[string]any{"active": false, "reason": reason} }
	without := map[string]any{
		"active": true, "subject": "user-1", "username": "ann", "scopes": []any{}, "token_id": "token-1",
		"expires_at": float64(expiry.Unix()),
	}
	tests := []struct {
		token string
		want  map[string]any
	}{
		{"good", good},
		{"without scopes", without},
		{domain.ErrTokenMalformed.Error(), inactive("malformed")},
		{domain.ErrTokenInvalid.Error(), inactive("invalid")},
		{domain.ErrTokenNotYetValid.Error(), inactive("not_yet_valid")},
		{domain.ErrTokenExpired.Error(), inactive("expired")},
	}
	for _, test := range tests {
		t.Run(test.token, func(t *testing.T) {
			reply := f.call(t, "access-control.validateToken", `{"token":"`+test.token+`"}`, nil)
			if reply.Status != http.StatusOK {
				t.Errorf("status %d", reply.Status)
			}
			if diff := cmp.Diff(test.want, object(t, reply)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValidateTokenRejectsBadInput(t *testing.T) {
	f := newFixture(t)
	for body, want := range map[string]int{
		"":             http.StatusUnprocessableEntity,
		"{}":           http.StatusUnprocessableEntity,
		`{"token":""}`: http.StatusUnprocessableEntity,
		"hello":        http.StatusBadRequest,
		`{"token":1}`:  http.StatusUnprocessableEntity,
	} {
		if reply := f.call(t, "access-control.validateToken", body, nil); reply.Status != want {
			t.Errorf("%s: status %d, want %d", body, reply.Status, want)
		}
	}
}

func TestLogout(t *testing.T) {
	f := newFixture(t)
	identity := &rpc.Identity{Subject: "user-1", Username: "ann", TokenID: "token-1", ExpiresAt: expiry}
	for range 2 { // a logout is idempotent
		reply := f.call(t, "access-control.logout", "", identity)
		if reply.Status != http.StatusNoContent || len(reply.Body) != 0 {
			t.Errorf("status %d, body %s", reply.Status, reply.Body)
		}
	}
	if diff := cmp.Diff(map[string]time.Time{"token-1": expiry.Add(domain.MaxLeeway)}, f.world.revoked); diff != "" {
		t.Error(diff)
	}
	reply := f.call(t, "access-control.validateToken", `{"token":"good"}`, nil)
	if diff := cmp.Diff(map[string]any{"active": false, "reason": "revoked"}, object(t, reply)); diff != "" {
		t.Error(diff)
	}
}

func TestLogoutWithoutToken(t *testing.T) {
	f := newFixture(t)
	for name, identity := range map[string]*rpc.Identity{
		"anonymous": nil,
		"no token":  {Subject: "user-1", ExpiresAt: expiry},
		"no expiry": {Subject: "user-1", TokenID: "token-1"},
	} {
		reply := f.call(t, "access-control.logout", "", identity)
		if reply.Status != http.StatusUnauthorized || reply.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: status %d, header %v", name, reply.Status, reply.Header)
		}
	}
	if len(f.world.revoked) != 0 {
		t.Errorf("revoked: %v", f.world.revoked)
	}
}

// While it is unknown whether a token is valid, the reply must say neither.
func TestBrokenStore(t *testing.T) {
	f := newFixture(t)
	f.world.err = errBroken
	identity := &rpc.Identity{Subject: "user-1", TokenID: "token-1", ExpiresAt: expiry}
	for queue, body := range map[string]string{
		"access-control.login":         `{"username":"ann","password":"secret"}`,
		"access-control.validateToken": `{"token":"good"}`,
		"access-control.logout":        "",
	} {
		reply := f.call(t, queue, body, identity)
		if reply.Status != http.StatusInternalServerError || strings.Contains(string(reply.Body), errBroken.Error()) {
			t.Errorf("%s: status %d, body %s", queue, reply.Status, reply.Body)
		}
	}
}

func TestLogHasNoSecrets(t *testing.T) {
	f := newFixture(t)
	const password, token = "pa55word-of-ann", "t0ken-of-ann"
	f.call(t, "access-control.login", `{"username":"ann","password":"`+password+`"}`, nil)
	f.call(t, "access-control.login", `{"username":"ann","password":"`+password+strings.Repeat("x", 72)+`"}`, nil)
	f.call(t, "access-control.validateToken", `{"token":"`+token+`"}`, nil)
	f.call(t, "access-control.logout", "", &rpc.Identity{TokenID: "token-1"})
	f.stop() // the log is complete
	log := f.log.String()
	if !strings.Contains(log, "access-control.login") || !strings.Contains(log, errBroken.Error()) {
		t.Errorf("the log does not contain the calls: %s", log)
	}
	if strings.Contains(log, password) || strings.Contains(log, token) {
		t.Errorf("the log contains a secret: %s", log)
	}
}

// Messages with a password or a token are not kept in a dead-letter queue, where operators read them.
func TestDeadLettersHaveNoSecrets(t *testing.T) {
	got := map[string]string{}
	for name, queue := range newFixture(t).broker.Subscribed() {
		got[name] = queue.DeadLetter
	}
	want := map[string]string{
		"access-control.login":         "",
		"access-control.validateToken": "",
		"access-control.logout":        "access-control.logout.dead",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
