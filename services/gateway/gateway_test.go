package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serveFakes answers for the services behind the gateway.
func serveFakes(t *testing.T, broker *inmem.Server) {
	t.Helper()
	server := rpc.NewServer(broker.Connect(), rpc.ServerOptions{Name: "fakes"})
	rpc.Handle(server, "access-control.validateToken", func(_ context.Context, in struct {
		Token string `json:"token"`
	}) (map[string]any, error) {
		if in.Token != "good" {
			return map[string]any{"active": false, "reason": "invalid"}, nil
		}
		return map[string]any{
			"active": true, "subject": "42", "scopes": []string{"orders:read"}, "expires_at": time.Now().Add(time.Hour).Unix(),
		}, nil
	})
	rpc.Handle(server, "orders.getAll", func(ctx context.Context, _ rpc.Empty) (map[string]string, error) {
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

func get(t *testing.T, url, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
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
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	var log bytes.Buffer
	go func() {
		done <- service.Run(ctx, New(), []string{"--gateway-addr=" + addr, "--admin-addr=127.0.0.1:0"},
			service.WithBroker(broker.Connect()), service.WithOutput(io.Discard, &log),
			service.WithReady(func(service.Info) { close(ready) }))
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("did not start: %v", err)
	}
	url := fmt.Sprintf("http://%s/v1/orders", addr)
	for token, want := range map[string]int{"": 401, "bad": 401, "good": 200} {
		if status, body := get(t, url, token); status != want {
			t.Errorf("token %q: status %d, want %d: %s", token, status, want, body)
		}
	}
	if _, body := get(t, url, "good"); body != `{"subject":"42"}` {
		t.Errorf("body %s: want the identity of the token", body)
	}
	// A second gateway would take replies of the first.
	second := service.Run(t.Context(), New(), []string{"--gateway-addr=" + freeAddr(t), "--admin-addr=127.0.0.1:0"},
		service.WithBroker(broker.Connect()), service.WithOutput(io.Discard, io.Discard))
	if second == nil || !strings.Contains(second.Error(), "GATEWAY_INSTANCE") {
		t.Errorf("a second gateway: %v, want an error that says what to set", second)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stop: %v\n%s", err, log.String())
	}
}

func TestConfigIsChecked(t *testing.T) {
	tests := map[string]struct{ flag, want string }{
		"address":        {"--gateway-addr=8080", "GATEWAY_ADDR"},
		"timeout status": {"--gateway-timeout-status=500", "GATEWAY_TIMEOUT_STATUS must be 502 or 504"},
		"origin":         {"--gateway-cors-origins=example.com", "GATEWAY_CORS_ORIGINS"},
		"token cache":    {"--gateway-token-cache=-1s", "GATEWAY_TOKEN_CACHE"},
		"proxies":        {"--gateway-trusted-proxies=10.0.0.1", "GATEWAY_TRUSTED_PROXIES"},
		"bodies":         {"--gateway-max-bodies-bytes=1048576", "GATEWAY_MAX_BODIES_BYTES must be at least 1048577"},
		"connections":    {"--gateway-max-connections=0", "GATEWAY_MAX_CONNECTIONS must be at least 1"},
		"not a duration": {"--gateway-token-cache=soon", "GATEWAY_TOKEN_CACHE"},
		"write timeout":  {"--gateway-write-timeout=1s", "write time-out 1s is not longer than the longest call, 10s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := service.Run(t.Context(), New(), []string{test.flag, "--admin-addr=127.0.0.1:0"},
				service.WithBroker(inmem.NewServer().Connect()), service.WithOutput(io.Discard, io.Discard))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
