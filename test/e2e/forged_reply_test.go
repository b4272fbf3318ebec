package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// TestForgedReply has a stolen broker user, access-control, reply to a call to orders with the right correlation ID. The
// gateway drops the reply because the call is not to access-control, and waits for the genuine one.
func TestForgedReply(t *testing.T) {
	s := suite.StartSystem(t)
	user := s.API.Login(t, "demo")
	s.Orders.Stop(t)
	thief, orders := connectAs(t, "access-control"), connectAs(t, "orders")
	reply := func(request messaging.Message, body string) messaging.Message {
		return messaging.Message{
			Type: "rpc.reply", AppID: "orders", UserID: "orders", CorrelationID: request.CorrelationID,
			ContentType: "application/json", Body: []byte(body),
		}
	}
	consume(t, orders, "orders.getAll", func(ctx context.Context, m messaging.Message) error {
		if err := thief.Send(ctx, m.ReplyTo, reply(m, `"forged"`)); err != nil {
			return err
		}
		awaittest.Success(t, "the forged reply dropped", func(context.Context) error {
			if n := s.Gateway.Metric(t, "rpc_client_forged_replies_total"); n != 1 {
				return fmt.Errorf("%v forged replies", n)
			}
			return nil
		})
		return orders.Send(ctx, m.ReplyTo, reply(m, `"genuine"`))
	})
	if r := user.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", ""); string(r.Body) != `"genuine"` {
		t.Errorf("the client got %s", r.Body)
	}
}
