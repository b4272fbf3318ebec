package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/service/servicetest"
	"example.com/warren/pkg/telemetry/telemetrytest"
)

// exportTo returns the environment that makes services export their spans to a receiver.
func exportTo(receiver *telemetrytest.Receiver) (env []string) {
	for name, value := range receiver.Environment() {
		env = append(env, name+"="+value)
	}
	return env
}

// lineage returns a span and its ancestors, each as "service: name", once the span has been received with all of them.
func lineage(t *testing.T, receiver *telemetrytest.Receiver, service, name string) (path []string, span telemetrytest.Span) {
	t.Helper()
	receiver.Await(t, "the span "+name+" and those above", func(spans []telemetrytest.Span) bool {
		byID := map[string]telemetrytest.Span{}
		for _, s := range spans {
			byID[s.ID] = s
		}
		for _, s := range spans {
			if s.Service != service || s.Name != name {
				continue
			}
			span, path = s, nil
			for {
				path = append(path, s.Service+": "+s.Name)
				if s.ParentID == "" {
					return true
				}
				parent, received := byID[s.ParentID]
				if !received || parent.TraceID != s.TraceID {
					break
				}
				s = parent
			}
		}
		return false
	})
	return path, span
}

// TestTrace follows a request through three processes and the broker between them: HTTP, call, queue, handler, database.
func TestTrace(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	s := suite.StartSystem(t, exportTo(receiver)...)
	demo := s.API.Login(t, "demo")
	created := demo.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders?hidden-query=1", order, "X-Hidden", "hidden-header")

	path, _ := lineage(t, receiver, "orders", "INSERT")
	want := "orders: INSERT, orders: orders.create, gateway: call orders.create, gateway: POST /v1/orders"
	if got := strings.Join(path, ", "); got != want {
		t.Errorf("the statement has the path\n%s, want\n%s", got, want)
	}
	path, validate := lineage(t, receiver, "access-control", "access-control.validateToken")
	want = "access-control: access-control.validateToken, gateway: call access-control.validateToken, gateway: POST /v1/orders"
	if got := strings.Join(path, ", "); got != want {
		t.Errorf("the check of the token has the path\n%s, want\n%s", got, want)
	}
	_, handled := lineage(t, receiver, "orders", "orders.create")
	if handled.TraceID != validate.TraceID {
		t.Errorf("the request has two traces, %s and %s", handled.TraceID, validate.TraceID)
	}
	if id := created.Header.Get("X-Correlation-Id"); handled.Attributes["messaging.message.conversation_id"] != id {
		t.Errorf("the span has the correlation ID %v, the response %s", handled.Attributes["messaging.message.conversation_id"], id)
	}
	if wait, ok := handled.Attributes["messaging.rabbitmq.queue_wait_ms"].(float64); !ok || wait < 0 {
		t.Errorf("the request waited for %v", handled.Attributes["messaging.rabbitmq.queue_wait_ms"])
	}
	if user := handled.Attributes["amqp.user_id"]; user != "" && user != nil && user != "gateway" {
		t.Errorf("the message is of the broker's user %v", user)
	}

	demo.Want(t, http.StatusNotFound, http.MethodGet, "/v1/orders/0190a6d0-0000-7000-8000-00000000dead", "")
	for _, p := range s.Processes() {
		p.Stop(t) // exports the last spans
	}
	spans := receiver.Spans()
	for _, secret := range []string{demo.Token, "teapot", "hidden", "demo"} {
		if text := fmt.Sprintf("%+v", spans); strings.Contains(text, secret) {
			t.Errorf("%q is on a span: %s", secret, text)
		}
	}
	var refused bool
	for _, span := range spans {
		if span.Name == "call orders.get" {
			refused = span.Failed && span.Attributes["error.type"] == "404"
		}
	}
	if !refused {
		t.Error("the span of the refused call has no error")
	}
}

// TestLongNodeService puts a service on Node.js behind the gateway in the place of orders. OpenTelemetry's own instrumentation of
// its AMQP library finds the gateway's trace in the message, and adds its span. npm downloads the libraries.
func TestLongNodeService(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	env := append(exportTo(receiver), "DEMO_DATA=true")
	dir := t.TempDir()
	accessControl := suite.Start(t, "access-control", dir, env...)
	gateway, api := suite.StartGateway(t, dir, env...)
	accessControl.AwaitReady(t)
	gateway.AwaitReady(t)
	startNodeService(t, append(env, "BROKER_URL="+suite.BrokerURL("orders"))...)

	api.Login(t, "demo").Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	path, span := lineage(t, receiver, "orders", "orders.getAll process")
	want := "orders: orders.getAll process, gateway: call orders.getAll, gateway: GET /v1/orders"
	if got := strings.Join(path, ", "); got != want {
		t.Errorf("the span of Node.js has the path\n%s, want\n%s", got, want)
	}
	if span.Kind != "CONSUMER" || span.Attributes["messaging.system"] != "rabbitmq" {
		t.Errorf("the span is not that of the instrumentation: %+v", span)
	}
}

// startNodeService starts testdata/node and waits until it serves.
func startNodeService(t *testing.T, env ...string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/node")); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("../../../scripts/install-package.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"sh", script, "npm"}, {"npm", "ci"}} {
		command := exec.CommandContext(t.Context(), args[0], args[1:]...)
		command.Dir = dir
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
	var output servicetest.Log
	node := exec.CommandContext(t.Context(), "node", "service.js")
	node.Dir, node.Env, node.Stdout, node.Stderr = dir, append(os.Environ(), env...), &output, &output
	node.Cancel = func() error { return node.Process.Signal(syscall.SIGTERM) }
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the test's context has ended
		_ = node.Wait()
		if t.Failed() {
			t.Logf("the output of Node.js:\n%s", &output)
		}
	})
	awaittest.Until(t, "the service on Node.js", func() bool { return strings.Contains(output.String(), "ready") })
}
