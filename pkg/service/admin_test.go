package service_test

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/fx"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
)

func TestReadiness(t *testing.T) {
	server := inmem.NewServer()
	server.SetAvailable(false)
	module := fx.Invoke(func(s *rpc.Server) { rpc.Handle(s, "orders.get", getOrderByID) })
	i := servicetest.Start(t, service.Service{Name: "orders", Module: module}, server.Connect())

	// The admin listener responds while the broker is still unreachable.
	addr, _ := i.Log.Await(t, "service starting")["admin"].(string)
	expect := func(path string, wantStatus int, wantParts ...string) {
		t.Helper()
		status, body := get(t, addr, path)
		if status != wantStatus {
			t.Errorf("GET %s: status %d, want %d", path, status, wantStatus)
		}
		for _, part := range wantParts {
			if !strings.Contains(body, part) {
				t.Errorf("GET %s: body %s lacks %s", path, body, part)
			}
		}
	}
	expect("/readyz", http.StatusServiceUnavailable, `"service":"starting"`, `"broker":"`+messaging.ErrUnavailable.Error())
	expect("/livez", http.StatusOK, `{"status":"ok"}`)
	expect("/metrics", http.StatusOK, "messaging_connected 0")

	server.SetAvailable(true)
	i.AwaitStart()
	if _, body := get(t, addr, "/readyz"); body != `{"status":"ok"}` {
		t.Errorf("GET /readyz: body %s", body)
	}
	expect("/readyz", http.StatusOK)
	expect("/metrics", http.StatusOK, "messaging_connected 1")

	server.SetAvailable(false)
	expect("/readyz", http.StatusServiceUnavailable, `"broker":`)
	expect("/livez", http.StatusOK)

	server.SetAvailable(true)
	expect("/readyz", http.StatusOK)
	i.Stop()
}

func TestStopWhileTheBrokerIsAway(t *testing.T) {
	server := inmem.NewServer()
	server.SetAvailable(false)
	broker := servicetest.Record(server.Connect())
	i := servicetest.Start(t, service.Service{Name: "orders", Module: fx.Options(
		fx.Invoke(func(l fx.Lifecycle) { l.Append(hook(broker, "open store", "close store")) }),
		fx.Invoke(func(s *rpc.Server) { rpc.Handle(s, "orders.get", getOrderByID) }),
	)}, broker)
	awaittest.Until(t, "first start hook", func() bool { return len(broker.Events()) > 0 })
	i.Stop()
	if got := strings.Join(broker.Events(), ", "); got != "open store, close store, close broker" {
		t.Errorf("events %s", got)
	}
}

func TestAdminRejectsOtherRequests(t *testing.T) {
	i := servicetest.Start(t, service.Service{Name: "orders"}, inmem.New())
	addr := i.AwaitStart()
	if status, _ := get(t, addr, "/orders"); status != http.StatusNotFound {
		t.Errorf("GET /orders: status %d, want 404", status)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/livez", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /livez: status %d, want 405", response.StatusCode)
	}
}

// A profile that is being taken ends with the service, instead of using up the time of the stop.
func TestStopEndsProfiles(t *testing.T) {
	i := servicetest.Start(t, service.Service{Name: "orders"}, inmem.New(), "--admin-profiling", "--stop-timeout=1h")
	addr := i.AwaitStart()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/debug/pprof/profile?seconds=3600", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan int, 1)
	go func() {
		response, err := client.Do(request)
		if err != nil {
			taken <- 0
			return
		}
		_ = response.Body.Close()
		taken <- response.StatusCode
	}()
	awaittest.Until(t, "the profile", func() bool {
		_, goroutines := get(t, addr, "/debug/pprof/goroutine?debug=2")
		return strings.Contains(goroutines, "net/http/pprof.Profile(")
	})
	i.Cancel()
	if status := awaittest.Receive(t, taken, "the end of the profile"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	i.Stop()
}

func TestProfiling(t *testing.T) {
	off := servicetest.Run(t, service.Service{Name: "orders"}, inmem.New()).AwaitStart()
	on := servicetest.Run(t, service.Service{Name: "orders"}, inmem.New(), "--admin-profiling").AwaitStart()
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/symbol", "/debug/pprof/trace?seconds=0.01"} {
		if status, _ := get(t, off, path); status != http.StatusNotFound {
			t.Errorf("GET %s without profiling: status %d, want 404", path, status)
		}
		if status, body := get(t, on, path); status != http.StatusOK {
			t.Errorf("GET %s with profiling: status %d: %s", path, status, body)
		}
	}
	if status, _ := get(t, on, "/debug/pprof/cmdline"); status != http.StatusNotFound {
		t.Errorf("GET /debug/pprof/cmdline: status %d, want 404: flags may hold passwords", status)
	}
}
