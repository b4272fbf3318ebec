package accesscontrol

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/fx"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
	"example.com/warren/services/access-control/internal/adapters/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setEnvironment(t *testing.T, environment map[string]string) {
	t.Helper()
	for name, value := range environment {
		t.Setenv(name, value)
	}
}

// testEnvironment returns settings that keep the files in directory, and password checks short.
func testEnvironment(directory string) map[string]string {
	return map[string]string{
		"ACCESS_CONTROL_DATABASE":    filepath.Join(directory, "access-control.db"),
		"ACCESS_CONTROL_KEYS":        filepath.Join(directory, "keys"),
		"ACCESS_CONTROL_BCRYPT_COST": "10",
		"LOG_LEVEL":                  "debug",
		"DEMO_DATA":                  "true",
	}
}

// cheaper is subtracted from the configured cost of passwords: hashing one at the smallest cost that the setting allows takes
// a second under the race detector.
const cheaper = 6

func newTestService() service.Service {
	s := New()
	s.Module = fx.Module("test", s.Module, fx.Decorate(func(config *Config) *Config {
		cheap := *config
		cheap.BcryptCost -= cheaper
		return &cheap
	}))
	return s
}

func run(t *testing.T, queues *inmem.Server) *servicetest.Instance {
	t.Helper()
	return servicetest.Run(t, newTestService(), queues.ConnectAs("access-control"))
}

type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

type tokenReply struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
}

type tokenInput struct {
	Token string `json:"token"`
}

type introspection struct {
	Active    bool     `json:"active"`
	Reason    string   `json:"reason"`
	Subject   string   `json:"subject"`
	Username  string   `json:"username"`
	Scopes    []string `json:"scopes"`
	TokenID   string   `json:"token_id"`
	ExpiresAt int64    `json:"expires_at"`
}

func login(t *testing.T, client *rpc.Client, username, password string) string {
	t.Helper()
	reply, err := rpc.Call[credentials, tokenReply](t.Context(), client, "access-control.login", credentials{username, password})
	if err != nil {
		t.Fatal(err)
	}
	return reply.AccessToken
}

func validate(t *testing.T, client *rpc.Client, token string) introspection {
	t.Helper()
	reply, err := rpc.Call[tokenInput, introspection](t.Context(), client, "access-control.validateToken", tokenInput{token})
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func logout(t *testing.T, client *rpc.Client, who introspection) {
	t.Helper()
	reply, err := client.Do(t.Context(), &rpc.Request{Queue: "access-control.logout", Identity: &rpc.Identity{
		Subject: who.Subject, Username: who.Username, Scopes: who.Scopes,
		TokenID: who.TokenID, ExpiresAt: time.Unix(who.ExpiresAt, 0),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if reply.Status != http.StatusNoContent {
		t.Fatalf("status %d: %s", reply.Status, reply.Body)
	}
}

func TestLoginValidateLogout(t *testing.T) {
	setEnvironment(t, testEnvironment(t.TempDir()))
	queues := inmem.NewServer()
	client := servicetest.NewClient(t, queues)
	service := run(t, queues)

	token, other := login(t, client, "demo", "demo"), login(t, client, "demo", "demo")
	who := validate(t, client, token)
	want := introspection{
		Active: true, Subject: "0190a6d0-0000-7000-8000-000000000001", Username: "demo",
		Scopes: slices.Sorted(slices.Values(demoUsers[0].Scopes)), TokenID: who.TokenID, ExpiresAt: who.ExpiresAt,
	}
	if diff := cmp.Diff(want, who, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if left := time.Until(time.Unix(who.ExpiresAt, 0)); left <= 0 || left > 15*time.Minute {
		t.Errorf("the token lasts for %s", left)
	}
	if got := validate(t, client, token[:len(token)-8]); got.Active || got.Subject != "" {
		t.Errorf("a truncated token: %+v", got)
	}
	admin := validate(t, client, login(t, client, "admin", "admin"))
	if want := slices.Sorted(slices.Values(demoUsers[1].Scopes)); !slices.Equal(admin.Scopes, want) {
		t.Errorf("the admin's scopes are %v, want %v", admin.Scopes, want)
	}
	for _, wrong := range []credentials{{"demo", "Demo"}, {"nobody", "demo"}} {
		wantUnauthorized(t, client, wrong)
	}

	logout(t, client, who)
	check := func() {
		t.Helper()
		if diff := cmp.Diff(introspection{Reason: "revoked"}, validate(t, client, token)); diff != "" {
			t.Error(diff)
		}
		if got := validate(t, client, other); !got.Active {
			t.Errorf("the user's other token: %+v", got)
		}
	}
	check()
	service.Stop()
	log := service.Log.String()
	for _, secret := range []string{token, other, strings.Split(token, ".")[2]} {
		if strings.Contains(log, secret) {
			t.Errorf("the log contains a token: %s", log)
		}
	}

	service = run(t, queues)
	check()
	service.Stop()
}

func wantUnauthorized(t *testing.T, client *rpc.Client, who credentials) {
	t.Helper()
	_, err := rpc.Call[credentials, tokenReply](t.Context(), client, "access-control.login", who)
	var problem *rpc.Error
	if !errors.As(err, &problem) || problem.Status != http.StatusUnauthorized || problem.Detail != "wrong username or password" {
		t.Errorf("%s: got %v", who.Username, err)
	}
}

// tryLogin returns the reply to a login from an address.
func tryLogin(t *testing.T, client *rpc.Client, who credentials, address string) *rpc.Reply {
	t.Helper()
	body, err := json.Marshal(who)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client.Do(t.Context(), &rpc.Request{
		Queue: "access-control.login", Header: http.Header{"X-Forwarded-For": {address}},
		ContentType: "application/json", Body: body,
	})
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestLoginLimits(t *testing.T) {
	setEnvironment(t, testEnvironment(t.TempDir()))
	setEnvironment(t, map[string]string{
		"ACCESS_CONTROL_LOGIN_FAILURES_PER_USER":    "2",
		"ACCESS_CONTROL_LOGIN_FAILURES_PER_ADDRESS": "3",
		"ACCESS_CONTROL_LOGIN_WINDOW":               "24h", // no failure is forgotten during the test
	})
	queues := inmem.NewServer()
	client := servicetest.NewClient(t, queues)
	service := run(t, queues)
	demo, guess, unknown := credentials{"demo", "demo"}, credentials{"demo", "guess"}, credentials{"nobody", "guess"}
	admin := credentials{"admin", "admin"}
	tests := []struct {
		name    string
		who     credentials
		address string
		want    int
	}{
		{"a success, which does not count", demo, "192.0.2.1", http.StatusOK},
		{"first guess", guess, "192.0.2.1", http.StatusUnauthorized},
		{"second guess", guess, "192.0.2.1", http.StatusUnauthorized},
		{"third guess", guess, "192.0.2.1", http.StatusTooManyRequests},
		{"the right password", demo, "192.0.2.1", http.StatusTooManyRequests},
		{"from elsewhere", demo, "192.0.2.2", http.StatusTooManyRequests},
		{"another user, by a service", admin, "", http.StatusOK},
		{"first guess of an unknown user", unknown, "192.0.2.1", http.StatusUnauthorized},
		{"the address's limit", admin, "192.0.2.1", http.StatusTooManyRequests},
		{"another address", admin, "192.0.2.2", http.StatusOK},
		{"second guess of an unknown user", unknown, "192.0.2.2", http.StatusUnauthorized},
		{"third guess of an unknown user", unknown, "192.0.2.2", http.StatusTooManyRequests},
	}
	for _, test := range tests {
		reply := tryLogin(t, client, test.who, test.address)
		if reply.Status != test.want {
			t.Errorf("%s: status %d, want %d", test.name, reply.Status, test.want)
		}
		if hasRetryAfter := reply.Header.Get("Retry-After") != ""; hasRetryAfter != (test.want == http.StatusTooManyRequests) {
			t.Errorf("%s: header %v", test.name, reply.Header)
		}
	}
	service.Stop()
}

// passwordCost returns the configured cost that the user's hash in the database was made with.
func passwordCost(t *testing.T, username string) int {
	t.Helper()
	store := sqlite.NewStore(os.Getenv("ACCESS_CONTROL_DATABASE"), time.Now)
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	user, err := store.UserByName(t.Context(), username)
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	cost, err := bcrypt.Cost([]byte(user.PasswordHash))
	if err != nil {
		t.Fatal(err)
	}
	return cost + cheaper
}

// A login renews a hash of another cost, so that unknown users take as long to check as known ones.
func TestLoginRenewsHash(t *testing.T) {
	setEnvironment(t, testEnvironment(t.TempDir()))
	queues := inmem.NewServer()
	client := servicetest.NewClient(t, queues)
	run(t, queues).Stop()

	t.Setenv("ACCESS_CONTROL_BCRYPT_COST", "11")
	service := run(t, queues)
	wantUnauthorized(t, client, credentials{"demo", "Demo"})
	if got := passwordCost(t, "demo"); got != 10 {
		t.Errorf("cost %d after a wrong password, want 10", got)
	}
	for range 2 { // with the old hash, and with the new one
		login(t, client, "demo", "demo")
		if got := passwordCost(t, "demo"); got != 11 {
			t.Errorf("cost %d after a login, want 11", got)
		}
	}
	if got := passwordCost(t, "admin"); got != 10 {
		t.Errorf("cost %d of a user who has not logged in, want 10", got)
	}
	wantUnauthorized(t, client, credentials{"demo", "Demo"})
	service.Stop()
}

// replica is one of several instances of the service, with a client of its own.
type replica struct {
	*servicetest.Instance
	client *rpc.Client
	keys   string // directory
}

func runReplica(t *testing.T, keys string) replica {
	t.Helper()
	t.Setenv("ACCESS_CONTROL_KEYS", keys)
	queues := inmem.NewServer()
	client := servicetest.NewClient(t, queues)
	return replica{run(t, queues), client, keys}
}

// awaitKeys returns when the replica's last read found these files.
func (r replica) awaitKeys(t *testing.T, files ...string) {
	t.Helper()
	// The header of this token names a key that does not exist: the replica looks for it in the directory.
	const token = "eyJhbGciOiJFZERTQSIsImtpZCI6InVua25vd24iLCJ0eXAiOiJKV1QifQ.e30.AAAA"
	awaittest.Until(t, "keys in use", func() bool {
		validate(t, r.client, token)
		loaded := r.Log.Entries("loaded keys")
		return fmt.Sprint(loaded[len(loaded)-1]["files"]) == fmt.Sprint(files)
	})
}

// Two replicas have directories of their own, which an operator changes one after the other. Each accepts the tokens of the
// other at any time.
func TestKeyRotation(t *testing.T) {
	directory := t.TempDir()
	setEnvironment(t, testEnvironment(directory))
	one := runReplica(t, filepath.Join(directory, "keys"))
	defer one.Stop()
	const oldFile, nextFile, newFile = "0001-eddsa.pem", "0002-eddsa.next.pem", "0002-eddsa.pem"
	young := filepath.Join(directory, "young")
	other := runReplica(t, young) // makes the next key
	other.Stop()
	copyKey(t, filepath.Join(one.keys, oldFile), filepath.Join(directory, "two", oldFile))
	two := runReplica(t, filepath.Join(directory, "two"))
	defer two.Stop()

	replicas := []replica{one, two}
	var tokens []string
	check := func() {
		t.Helper()
		for _, r := range replicas {
			tokens = append(tokens, login(t, r.client, "demo", "demo"))
		}
		for _, r := range replicas {
			for _, token := range tokens {
				if got := validate(t, r.client, token); !got.Active {
					t.Errorf("a token is %s: %s", got.Reason, strings.Split(token, ".")[0])
				}
			}
		}
	}
	check()
	for _, r := range replicas {
		copyKey(t, filepath.Join(young, oldFile), filepath.Join(r.keys, nextFile))
		r.awaitKeys(t, oldFile, nextFile)
		check()
	}
	for _, r := range replicas {
		if err := os.Rename(filepath.Join(r.keys, nextFile), filepath.Join(r.keys, newFile)); err != nil {
			t.Fatal(err)
		}
		r.awaitKeys(t, oldFile, newFile)
		check()
	}
	for _, r := range replicas {
		if err := os.Remove(filepath.Join(r.keys, oldFile)); err != nil {
			t.Fatal(err)
		}
		r.awaitKeys(t, newFile)
		for i, token := range tokens[len(tokens)-2:] {
			if got := validate(t, r.client, token); !got.Active {
				t.Errorf("new token %d is %s", i, got.Reason)
			}
		}
		if got := validate(t, r.client, tokens[0]); got.Active {
			t.Error("a token of the removed key is active")
		}
	}
}

func copyKey(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The log of replicas that do not share their keys says so.
func TestReplicasWithTheirOwnKeys(t *testing.T) {
	directory := t.TempDir()
	setEnvironment(t, testEnvironment(directory))
	one, two := runReplica(t, filepath.Join(directory, "one")), runReplica(t, filepath.Join(directory, "two"))
	defer one.Stop()
	defer two.Stop()
	token := login(t, one.client, "demo", "demo")
	for range 3 {
		if got := validate(t, two.client, token); got.Active || got.Reason != "invalid" {
			t.Errorf("got %+v", got)
		}
	}
	warnings := two.Log.Entries("rejected a token of an unknown key: it was removed, or replicas do not share their keys")
	if len(warnings) != 1 || warnings[0]["level"] != "WARN" {
		t.Errorf("logged %v", warnings)
	}
}

func TestAlgorithmOfTheFirstKey(t *testing.T) {
	directory := t.TempDir()
	setEnvironment(t, testEnvironment(directory))
	t.Setenv("ACCESS_CONTROL_ALGORITHM", "RS256")
	t.Setenv("DEMO_DATA", "false")
	run(t, inmem.NewServer()).Stop()
	if _, err := os.Stat(filepath.Join(directory, "keys", "0001-rs256.pem")); err != nil {
		t.Error(err)
	}
}

func TestNoDemoDataUnlessAskedFor(t *testing.T) {
	environment := testEnvironment(t.TempDir())
	delete(environment, "DEMO_DATA")
	setEnvironment(t, environment)
	queues := inmem.NewServer()
	service := run(t, queues)
	client := servicetest.NewClient(t, queues)
	wantUnauthorized(t, client, credentials{"demo", "demo"})
	service.Stop()
}

// startError runs the service and returns the error that it ends with.
func startError(t *testing.T) error {
	t.Helper()
	return servicetest.Start(t, newTestService(), inmem.New()).Wait()
}

func TestWrongSettings(t *testing.T) {
	tests := []struct {
		name, value string
		want        string
	}{
		{"ACCESS_CONTROL_ALGORITHM", "none", "ACCESS_CONTROL_ALGORITHM"},
		{"ACCESS_CONTROL_ALGORITHM", "HS256", "ACCESS_CONTROL_ALGORITHM"},
		{"ACCESS_CONTROL_LEEWAY", "31s", "between 0s and 30s"},
		{"ACCESS_CONTROL_LEEWAY", "-1s", "between 0s and 30s"},
		{"ACCESS_CONTROL_TOKEN_LIFETIME", "0s", "at least 1s"},
		{"ACCESS_CONTROL_TOKEN_LIFETIME", "soon", "ACCESS_CONTROL_TOKEN_LIFETIME"},
		{"ACCESS_CONTROL_BCRYPT_COST", "9", "between 10 and 16"},
		{"ACCESS_CONTROL_BCRYPT_COST", "17", "between 10 and 16"},
		{"ACCESS_CONTROL_LOGIN_FAILURES_PER_USER", "-1", "at least 0"},
		{"ACCESS_CONTROL_LOGIN_FAILURES_PER_ADDRESS", "-1", "at least 0"},
		{"ACCESS_CONTROL_LOGIN_ATTEMPTS_PER_USER", "-1", "at least 0"},
		{"ACCESS_CONTROL_LOGIN_ATTEMPTS_PER_ADDRESS", "-1", "at least 0"},
		{"ACCESS_CONTROL_LOGIN_FAILURES_PER_USER", "few", "ACCESS_CONTROL_LOGIN_FAILURES_PER_USER"},
		{"ACCESS_CONTROL_LOGIN_WINDOW", "999ms", "between 1s and 24h"},
		{"ACCESS_CONTROL_LOGIN_WINDOW", "25h", "between 1s and 24h"},
		{"ACCESS_CONTROL_LOGIN_LIMITER_SIZE", "0", "at least 1"},
		{"ACCESS_CONTROL_DATABASE", "", "ACCESS_CONTROL_DATABASE must be set"},
		{"ACCESS_CONTROL_KEYS", "", "ACCESS_CONTROL_KEYS must be set"},
		{"ACCESS_CONTROL_AUDIENCE", "", "ACCESS_CONTROL_AUDIENCE must be set"},
		{"DEMO_DATA", "perhaps", "DEMO_DATA"},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			directory := t.TempDir()
			setEnvironment(t, testEnvironment(directory))
			t.Setenv(test.name, test.value)
			if err := startError(t); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if entries, err := os.ReadDir(directory); err != nil || len(entries) != 0 {
				t.Errorf("the start left files: %v, %v", entries, err)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, directory string)
		want  string
	}{
		{"a key that others can read", func(t *testing.T, directory string) {
			path := filepath.Join(directory, "keys", "0001-eddsa.pem")
			copyKey(t, os.DevNull, path)
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "chmod 600"},
		{"not a database", func(t *testing.T, directory string) {
			text := strings.Repeat("not a database. ", 100)
			if err := os.WriteFile(filepath.Join(directory, "access-control.db"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "migrate database"},
		{"no issuer", func(t *testing.T, _ string) { t.Setenv("ACCESS_CONTROL_ISSUER", "") }, "ACCESS_CONTROL_ISSUER"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			directory := t.TempDir()
			setEnvironment(t, testEnvironment(directory))
			test.spoil(t, directory)
			if err := startError(t); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	service := servicetest.Start(t, New(), inmem.New(), "--help")
	if err := service.Wait(); err != nil {
		t.Fatal(err)
	}
	help := service.Log.String()
	for _, name := range []string{
		"ACCESS_CONTROL_DATABASE", "ACCESS_CONTROL_KEYS", "ACCESS_CONTROL_ALGORITHM", "ACCESS_CONTROL_ISSUER",
		"ACCESS_CONTROL_AUDIENCE", "ACCESS_CONTROL_TOKEN_LIFETIME", "ACCESS_CONTROL_LEEWAY", "ACCESS_CONTROL_BCRYPT_COST",
		"ACCESS_CONTROL_LOGIN_FAILURES_PER_USER", "ACCESS_CONTROL_LOGIN_FAILURES_PER_ADDRESS", "ACCESS_CONTROL_LOGIN_WINDOW",
		"ACCESS_CONTROL_LOGIN_LIMITER_SIZE", "DEMO_DATA", "ADMIN_ADDR", "127.0.0.1:9092",
	} {
		if !strings.Contains(help, name) {
			t.Errorf("%s is missing", name)
		}
	}
}
