package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
)

// GetOrder is the input of orders.get: the id is a parameter of the gateway's route.
type GetOrder struct {
	ID string `json:"-" param:"id" validate:"required"`
}

// Order is its output.
type Order struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func ExampleHandle() {
	ctx := context.Background()
	broker := inmem.New()

	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	rpc.Handle(server, "orders.get", func(ctx context.Context, in GetOrder) (Order, error) {
		if in.ID != "42" {
			return Order{}, rpc.NotFound("order %s", in.ID)
		}
		rpc.ReplyHeader(ctx).Set("ETag", `"1"`)
		return Order{ID: in.ID, Status: "open"}, nil
	})
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}

	// A gateway calls in the raw form.
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "gateway"})
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"42", "43"} {
		reply, err := client.Do(ctx, &rpc.Request{Queue: "orders.get", ID: "call-" + id, Params: map[string]string{"id": id}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(reply.Status, reply.Header.Get("ETag"), reply.ContentType)
		fmt.Println(string(reply.Body))
	}
	if err := errors.Join(client.Close(ctx), server.Drain(ctx), broker.Close(ctx)); err != nil {
		log.Fatal(err)
	}

	// Output:
	// 200 "1" application/json
	// {"id":"42","status":"open"}
	// 404  application/problem+json
	// {"type":"urn:problem-type:not-found","title":"Not Found","status":404,"detail":"order 43","correlation_id":"call-43"}
}

func ExampleCall() {
	ctx := context.Background()
	broker := inmem.New()

	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	rpc.Handle(server, "orders.get", func(_ context.Context, in GetOrder) (Order, error) {
		return Order{ID: in.ID, Status: "open"}, nil
	})
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}

	// A service calls in the typed form.
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "invoices"})
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}

	order, err := rpc.Call[GetOrder, Order](ctx, client, "orders.get", GetOrder{ID: "42"})
	fmt.Println(order.Status, err)

	_, err = rpc.Call[GetOrder, Order](ctx, client, "orders.get", GetOrder{})
	var failure *rpc.Error
	if errors.As(err, &failure) && failure.Status == http.StatusUnprocessableEntity {
		fmt.Println(failure.Fields[0].Field, failure.Fields[0].Message)
	}
	if err := errors.Join(client.Close(ctx), server.Drain(ctx), broker.Close(ctx)); err != nil {
		log.Fatal(err)
	}

	// Output:
	// open <nil>
	// id is required
}

func ExampleServer_Handle() {
	ctx := context.Background()
	broker := inmem.New()

	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "texts"})
	server.Handle("texts.echo", func(_ context.Context, request *rpc.Request) (*rpc.Reply, error) {
		return &rpc.Reply{ContentType: "text/plain", Body: request.Body}, nil
	}, rpc.WithConcurrency(8))
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}

	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "gateway"})
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}
	reply, err := client.Do(ctx, &rpc.Request{Queue: "texts.echo", Body: []byte("hello")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Status, string(reply.Body))
	if err := errors.Join(client.Close(ctx), server.Drain(ctx), broker.Close(ctx)); err != nil {
		log.Fatal(err)
	}

	// Output:
	// 200 hello
}

var errNoOrder = errors.New("no such order")

// replyError is the one place where a service translates the errors of its domain.
func replyError(err error) error {
	if errors.Is(err, errNoOrder) {
		return rpc.NotFound("%s", errNoOrder).WithCause(err)
	}
	return err // unknown errors become status 500
}

func ExampleWithErrors() {
	ctx := context.Background()
	broker := inmem.New()

	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	methods := server.With(rpc.WithErrors(replyError))
	rpc.Handle(methods, "orders.get", func(context.Context, GetOrder) (Order, error) {
		return Order{}, fmt.Errorf("read the database: %w", errNoOrder)
	})
	rpc.Handle(methods, "orders.cancel", func(context.Context, GetOrder) (rpc.Empty, error) {
		return rpc.Empty{}, rpc.Conflict("order 42 is shipped").WithReason("order-not-cancellable")
	})
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}

	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "invoices"})
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}
	for _, queue := range []string{"orders.get", "orders.cancel"} {
		_, err := rpc.Call[GetOrder, Order](ctx, client, queue, GetOrder{ID: "42"})
		if failure, ok := errors.AsType[*rpc.Error](err); ok {
			fmt.Println(failure.Status, failure.Reason, failure.Detail)
		}
	}
	if err := errors.Join(client.Close(ctx), server.Drain(ctx), broker.Close(ctx)); err != nil {
		log.Fatal(err)
	}

	// Output:
	// 404 not-found no such order
	// 409 order-not-cancellable order 42 is shipped
}
