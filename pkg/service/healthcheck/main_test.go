package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // a proxy must not be used
	goleak.VerifyTestMain(m)
}

// serve responds to /readyz and returns the listener's port.
func serve(t *testing.T, status int, body string) (port string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestCheckReady(t *testing.T) {
	port := serve(t, http.StatusOK, `{"status":"ok"}`)
	for _, host := range []string{"127.0.0.1", "0.0.0.0", ""} {
		if err := check(t.Context(), net.JoinHostPort(host, port)); err != nil {
			t.Errorf("host %q: %v", host, err)
		}
	}
}

func TestCheckNotReady(t *testing.T) {
	tests := []struct {
		name, addr, want string
	}{
		{"unavailable", "127.0.0.1:" + serve(t, http.StatusServiceUnavailable, "broker away"), "503 Service Unavailable: broker away"},
		{"not a service", "127.0.0.1:" + serve(t, http.StatusNotFound, "what?"), "404"},
		{"no listener", "127.0.0.1:1", "connection refused"},
		{"no address", "", "ADMIN_ADDR is not set"},
		{"no port", "127.0.0.1:port", "unknown port"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := check(t.Context(), test.addr)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
