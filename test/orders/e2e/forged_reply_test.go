package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/pkg/rpc"
	"example.com/warren/test/internal/system"
)

// TestForgedReply has a stolen broker user, access-control, reply to a call to orders. It knows all that is public of the call,
// and it can have orders send messages that the broker vouches for. The gateway drops them and waits for the genuine reply.
func TestForgedReply(t *testing.T) {
	s := suite.StartSystem(t)
	s.Process("orders").Stop(t)
	gateway, user := suite.StartGateway(t, s.Dir, "RPC_INSTANCE=patient", "RPC_TIMEOUT=5m", "GATEWAY_WRITE_TIMEOUT=10m")
	gateway.AwaitReady(t)
	user = user.Login(t, "demo")
	thief, orders := suite.Connect(t, "access-control"), suite.Connect(t, "orders")
	server := rpc.NewServer(orders, rpc.ServerOptions{Name: "orders", Logger: slog.New(slog.DiscardHandler)})
	server.Handle("orders.get", func(_ context.Context, r *rpc.Request) (*rpc.Reply, error) {
		return &rpc.Reply{ContentType: "application/json", Body: r.Body}, nil
	})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	const orphans, forgeries = "rpc_client_orphan_replies_total", "rpc_client_forged_replies_total"
	var secret string
	system.Consume(t, orders, "orders.getAll", func(ctx context.Context, m messaging.Message) error {
		secret = m.CorrelationID
		forged := messaging.Message{
			Type: "rpc.reply", AppID: "orders", UserID: "orders", ID: m.ID, CorrelationID: m.ID,
			ContentType: "application/json", Body: []byte(`"forged"`),
		}
		question, leaked := forged, forged
		question.Type, question.ReplyTo = "rpc.request", m.ReplyTo // orders.get replies with the question
		leaked.CorrelationID = secret
		send := func(from messaging.Broker, queue string, message messaging.Message) func() error {
			return func() error { return from.Send(ctx, queue, message) }
		}
		tries := []struct {
			name    string
			try     func() error
			counter string
		}{
			{"a reply with the public ID", send(thief, m.ReplyTo, forged), orphans},
			{"an honest reply to another question", send(thief, "orders.get", question), orphans},
			{"the copy of a message that orders dead-letters", func() error { return publishCopied(t, "orders.get", m.ReplyTo, m.ID) }, orphans},
			{"a message that orders moved", send(orders, m.ReplyTo, forged), orphans},
			{"a reply with the secret", send(thief, m.ReplyTo, leaked), forgeries},
		}
		for _, try := range tries {
			before := gateway.Metric(t, try.counter)
			if err := try.try(); err != nil {
				return err
			}
			awaittest.Success(t, try.name+" dropped", func(context.Context) error {
				if n := gateway.Metric(t, try.counter); n != before+1 {
					return fmt.Errorf("%s is %v, was %v", try.counter, n, before)
				}
				return nil
			})
		}
		genuine := forged
		genuine.CorrelationID, genuine.Body = secret, []byte(`"genuine"`)
		return orders.Send(ctx, m.ReplyTo, genuine)
	})
	r := user.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	if string(r.Body) != `"genuine"` {
		t.Errorf("the client got %s", r.Body)
	}
	system.Receive(t, orders, "orders.get.dead", 1) // without a second copy
	if n := gateway.Metric(t, orphans); n != 4 {
		t.Errorf("%v orphan replies, want 4", n)
	}
	if log := gateway.Output(); strings.Contains(log, secret) || !strings.Contains(log, r.Header.Get("X-Correlation-Id")) {
		t.Errorf("the gateway's log should name the call, and not its secret %s", secret)
	}
}

// publishCopied has the thief publish a message without a reply_to that a service of RPC rejects, with a header that has the
// broker put a copy into another queue.
func publishCopied(t *testing.T, queue, copyTo, correlationID string) error {
	t.Helper()
	raw := suite.DialRaw(t, "access-control")
	defer func() { _ = raw.Close() }()
	to := rabbitmqtest.Long('A', []byte(rabbitmqtest.Long('S', []byte(copyTo))))
	properties := rabbitmqtest.Properties(correlationID, rabbitmqtest.Field("CC", to), rabbitmqtest.Field("rpc-version", "t\x01"),
		rabbitmqtest.Field("x-delivery-count", "l\x00\x00\x00\x00\x00\x00\x00\x63"))
	const headers, correlation = 1 << 13, 1 << 10
	binary.BigEndian.PutUint16(properties, headers|correlation) // in place of the message ID
	return raw.Publish(queue, properties, []byte(`"forged"`))
}
