package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
	"example.com/warren/pkg/telemetry/telemetrytest"
)

func TestMain(m *testing.M) {
	telemetrytest.ClearEnvironment()
	goleak.VerifyTestMain(m)
}

// serveFakes serves the methods that the gateway calls in these tests.
func serveFakes(t *testing.T, broker *inmem.Server) {
	t.Helper()
	server := rpc.NewServer(broker.Connect(), rpc.ServerOptions{Name: "fakes", IdentityLeeway: 30 * time.Second})
	rpc.Handle(server, "access-control.validateToken", func(_ context.Context, in struct {
		Token string `json:"token"`
	}) (map[string]any, error) {
		lifetime, ok := map[string]time.Duration{"good": time.Hour, "leeway": -10 * time.Second}[in.Token]
		if !ok {
			return map[string]any{"active": false, "reason": "invalid"}, nil
		}
		return map[string]any{
			"active": true, "subject": "42", "scopes": []string{}, "expires_at": time.Now().Add(lifetime).Unix(),
		}, nil
	})
	rpc.Handle(server, "access-control.logout", func(ctx context.Context, _ rpc.Empty) (map[string]string, error) {
		return map[string]string{"subject": rpc.IdentityFrom(ctx).Subject}, nil
	})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Drain(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func post(t *testing.T, url, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

func TestService(t *testing.T) {
	broker := inmem.NewServer()
	serveFakes(t, broker)
	addr := freeAddr(t)
	first := servicetest.Run(t, New(), broker.Connect(), "--gateway-addr="+addr)
	url := fmt.Sprintf("http://%s/v1/logout", addr)
	for token, want := range map[string]int{"": 401, "bad": 401, "good": 200, "leeway": 200} {
		if status, body := post(t, url, token); status != want {
			t.Errorf("token %q: status %d, want %d: %s", token, status, want, body)
		}
	}
	if _, body := post(t, url, "good"); body != `{"subject":"42"}` {
		t.Errorf("body %s: want the identity of the token", body)
	}
	// A second gateway on the same callback queue would take replies of the first.
	second := servicetest.Start(t, New(), broker.Connect(), "--gateway-addr="+freeAddr(t)).Wait()
	if second == nil || !strings.Contains(second.Error(), "RPC_INSTANCE") {
		t.Errorf("a second gateway: %v, want an error that names RPC_INSTANCE", second)
	}
	first.Stop()
}

func TestConfigIsChecked(t *testing.T) {
	tests := map[string]struct{ flag, want string }{
		"address":        {"--gateway-addr=8080", "GATEWAY_ADDR"},
		"timeout status": {"--gateway-timeout-status=500", "GATEWAY_TIMEOUT_STATUS must be 502 or 504"},
		"origin":         {"--gateway-cors-origins=example.com", "GATEWAY_CORS_ORIGINS"},
		"origin's path":  {"--gateway-cors-origins=https://example.com/path", "GATEWAY_CORS_ORIGINS"},
		"token cache":    {"--gateway-token-cache=-1s", "GATEWAY_TOKEN_CACHE"},
		"proxies":        {"--gateway-trusted-proxies=10.0.0.1", "GATEWAY_TRUSTED_PROXIES"},
		"bodies":         {"--gateway-max-bodies-bytes=1048576", "GATEWAY_MAX_BODIES_BYTES must be at least 1048577"},
		"connections":    {"--gateway-max-connections=0", "GATEWAY_MAX_CONNECTIONS must be at least 1"},
		"not a duration": {"--gateway-token-cache=soon", "GATEWAY_TOKEN_CACHE"},
		"write timeout":  {"--gateway-write-timeout=1s", "write time-out 1s is not longer than the longest call, 10s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := servicetest.Start(t, New(), inmem.NewServer().Connect(), test.flag).Wait()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestLimitsFitMessages: a request that the gateway accepts fits into a message.
func TestLimitsFitMessages(t *testing.T) {
	want := map[string]string{
		"GATEWAY_MAX_BODY_BYTES":   fmt.Sprintf("between 0 and %d", messaging.MaxBodyBytes),
		"GATEWAY_MAX_HEADER_BYTES": "between 1024 and 16384", // see TestHeadersThatGrow
	}
	list, err := service.Settings(New())
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range list {
		if allowed, ok := want[setting.Variable]; ok && setting.Allowed != allowed {
			t.Errorf("%s may be %s, want %s", setting.Variable, setting.Allowed, allowed)
		}
		delete(want, setting.Variable)
	}
	if len(want) > 0 {
		t.Errorf("no setting %v", want)
	}
}

// TestCalls: the gateway calls the service behind each route, and that which checks tokens.
func TestCalls(t *testing.T) {
	calls, queues := New().Calls, []string{"access-control.validateToken"}
	for _, r := range Routes() {
		queues = append(queues, r.Queue)
	}
	for _, queue := range queues {
		if service, _, _ := strings.Cut(queue, "."); !slices.Contains(calls, service) {
			t.Errorf("%s is not among the called services %q", service, calls)
		}
	}
	if !slices.IsSorted(calls) || len(slices.Compact(slices.Clone(calls))) != len(calls) {
		t.Errorf("called services %q: want each once, sorted", calls)
	}
}
