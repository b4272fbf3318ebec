package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/test/internal/system"
)

// TestUnknownReply sends replies to no call into the callback queue. The gateway drops and counts them.
func TestUnknownReply(t *testing.T) {
	s := suite.StartSystem(t)
	// Every broker user may publish to the callback queue.
	b, err := rabbitmq.New(rabbitmq.Options{URLs: []string{suite.BrokerURL("orders")}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(context.Background()) }()
	awaittest.Success(t, "connected", func(context.Context) error { return b.Ready() })
	for _, id := range []string{uuid.NewString(), "", "made up"} {
		m := messaging.Message{CorrelationID: id, ContentType: "application/json", Body: []byte(`{"forged":true}`)}
		if err := b.Publish(t.Context(), "gateway.rpc.response", m); err != nil {
			t.Fatal(err)
		}
	}
	awaittest.Success(t, "counted", func(context.Context) error {
		if n := s.Gateway.Metric(t, "rpc_client_orphan_replies_total"); n != 3 {
			return fmt.Errorf("%v orphan replies counted, want 3", n)
		}
		return nil
	})
	s.API.Login(t, "demo").Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	awaittest.Success(t, "acknowledged", suite.Holds("gateway.rpc.response", 0))
}

// TestHostileRequests sends requests that would break a shared connection to the broker if the gateway passed them on.
// Calls of other clients must succeed meanwhile.
func TestHostileRequests(t *testing.T) {
	s := suite.StartSystem(t)
	demo := s.API.Login(t, "demo")

	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 8 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := demo.Call(t.Context(), http.MethodGet, "/v1/orders", "")
				if err != nil || r.Status != http.StatusOK {
					t.Errorf("a call of another client: status %d, %v: %s", r.Status, err, r.Body)
				}
			}
		})
	}
	large := strings.Repeat("x", 1000)
	var many, growing strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "X-%d: y\r\n", i)
	}
	for i := range 650 { // within the limit for HTTP, and longer in a message, where each slash is %2F
		fmt.Fprintf(&growing, "X-%d: ////////\r\n", i)
	}
	tests := map[string]struct {
		request string
		want    int
	}{
		"200 KiB of headers":     {head("GET", "/v1/orders", "X-Large: "+strings.Repeat(large, 200)), 431},
		"20 KiB of headers":      {head("GET", "/v1/orders", "X-Large: "+strings.Repeat(large, 20)), 431},
		"1000 small headers":     {head("GET", "/v1/orders", many.String()+"Authorization: Bearer "+demo.Token), 200},
		"650 headers that grow":  {head("GET", "/v1/orders", growing.String()+"Authorization: Bearer "+demo.Token), 200},
		"a path that grows":      {head("GET", "/v1/orders/"+strings.Repeat("\"", 9000), "Authorization: Bearer "+demo.Token), 404},
		"a 300-byte header name": {head("GET", "/v1/orders", "X-"+strings.Repeat("n", 300)+": x", "Authorization: Bearer "+demo.Token), 200},
		"a control character":    {head("GET", "/v1/orders", "X-Control: a\x01b"), 400},
		"a NUL":                  {head("GET", "/v1/orders", "X-Control: a\x00b"), 400},
		"20 KiB of query":        {head("GET", "/v1/orders?q="+strings.Repeat(large, 20)), 431},
		"a 300-byte query name":  {head("GET", "/v1/orders?"+strings.Repeat("n", 300)+"=1", "Authorization: Bearer "+demo.Token), 200},
		"a 2 MiB body":           {head("POST", "/v1/orders", "Content-Length: 2097152", "Authorization: Bearer "+demo.Token), 413},
		"a 2 MiB body, no token": {head("POST", "/v1/login", "Content-Length: 2097152"), 413},
		"not HTTP":               {"no request\r\n\r\n", 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				if status := raw(t, s.API, test.request); status != test.want {
					t.Errorf("status %d, want %d", status, test.want)
				}
			}
		})
	}
	close(stop)
	others.Wait()
	if n := s.Gateway.Metric(t, "broker_reconnects_total"); n != 0 {
		t.Errorf("the gateway lost its connection to the broker %v times", n)
	}
}

// head returns the head of a request that asks the gateway to close the connection.
func head(method, target string, headers ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n" +
		strings.Join(append(headers, "", ""), "\r\n")
}

// raw sends text unchanged and returns the status of the response.
func raw(t *testing.T, api system.API, request string) int {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(api.URL, "http://"), system.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(system.Patience))
	// The server may respond and close before it has read everything.
	go func() { _, _ = io.WriteString(conn, request) }()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}
