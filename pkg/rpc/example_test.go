package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
)

// GetOrder is the input of orders.get. The ID is a parameter of the gateway's route.
type GetOrder struct {
	ID string `json:"-" param:"id" validate:"required"`
}

// Order is the output of orders.get.
type Order struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// getOrder is a handler: plain Go, apart from the error.
func getOrder(_ context.Context, in GetOrder) (Order, error) {
	if in.ID != "42" {
		return Order{}, rpc.NotFound("order %s", in.ID)
	}
	return Order{ID: in.ID, Status: "open"}, nil
}

// start starts a server and a client, and returns the function that stops them.
func start(ctx context.Context, server *rpc.Server, client *rpc.Client) (stop func()) {
	if err := errors.Join(server.Start(ctx), client.Start(ctx)); err != nil {
		panic(err)
	}
	return func() {
		if err := errors.Join(client.Close(ctx), server.Drain(ctx)); err != nil {
			panic(err)
		}
	}
}

// A service registers its methods, starts the server, and drains it when the process ends.
func ExampleServer() {
	ctx := context.Background()
	broker := inmem.New()

	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	rpc.Handle(server, "orders.get", getOrder)
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}
	// The service runs until it is told to stop.
	if err := server.Drain(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
}

// A handler in the raw form takes any body and returns any reply.
func ExampleServer_Handle() {
	ctx := context.Background()
	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "texts"})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "gateway"})

	server.Handle("texts.echo", func(_ context.Context, request *rpc.Request) (*rpc.Reply, error) {
		return &rpc.Reply{ContentType: "text/plain", Body: request.Body}, nil
	}, rpc.WithConcurrency(8))
	defer start(ctx, server, client)()

	reply, err := client.Do(ctx, &rpc.Request{Queue: "texts.echo", Body: []byte("hello")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Status, string(reply.Body))

	// Output:
	// 200 hello
}

// A handler in the typed form sets a header of its reply.
func ExampleHandle() {
	ctx := context.Background()
	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "gateway"})

	rpc.Handle(server, "orders.get", func(ctx context.Context, in GetOrder) (Order, error) {
		rpc.ReplyHeader(ctx).Set("ETag", `"1"`)
		return getOrder(ctx, in)
	})
	defer start(ctx, server, client)()

	reply, err := client.Do(ctx, &rpc.Request{Queue: "orders.get", Params: map[string]string{"id": "42"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Status, reply.Header.Get("ETag"), reply.ContentType, string(reply.Body))

	// Output:
	// 200 "1" application/json {"id":"42","status":"open"}
}

// A gateway sends requests and gets replies of any status.
func ExampleClient_Do() {
	ctx := context.Background()
	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "gateway"})

	rpc.Handle(server, "orders.get", getOrder)
	defer start(ctx, server, client)()

	for _, id := range []string{"42", "43"} {
		request := &rpc.Request{
			Queue: "orders.get", ID: "call-" + id, Method: "GET", Path: "/v1/orders/" + id, Params: map[string]string{"id": id},
		}
		reply, err := client.Do(ctx, request)
		if err != nil {
			log.Fatal(err) // there is no reply
		}
		fmt.Println(reply.Status, reply.ContentType)
		fmt.Println(string(reply.Body))
	}

	// Output:
	// 200 application/json
	// {"id":"42","status":"open"}
	// 404 application/problem+json
	// {"type":"urn:problem-type:not-found","title":"Not Found","status":404,"detail":"order 43","correlation_id":"call-43"}
}

// A handler of one service calls another service. It passes its own context, so that the call ends with the request, and has
// the identity of its caller.
func ExampleCall() {
	ctx := context.Background()
	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "shop"})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "shop"})

	rpc.Handle(server, "orders.get", func(ctx context.Context, in GetOrder) (Order, error) {
		fmt.Println("the caller is", rpc.IdentityFrom(ctx).Username)
		return getOrder(ctx, in)
	})
	rpc.Handle(server, "invoices.create", func(ctx context.Context, in GetOrder) (string, error) {
		order, err := rpc.Call[GetOrder, Order](ctx, client, "orders.get", in, rpc.WithIdempotent())
		if err != nil {
			return "", err
		}
		return "invoice for order " + order.ID, nil
	}, rpc.WithStatus(201))
	defer start(ctx, server, client)()

	reply, err := client.Do(ctx, &rpc.Request{
		Queue: "invoices.create", Params: map[string]string{"id": "42"}, Identity: &rpc.Identity{Subject: "u-1", Username: "demo"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Status, string(reply.Body))

	// Output:
	// the caller is demo
	// 201 "invoice for order 42"
}

// A handler that can do without another service bounds its call, and has time left for the rest.
func ExampleWithTimeout() {
	ctx := context.Background()
	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "orders"})

	rpc.Handle(server, "orders.get", func(ctx context.Context, in GetOrder) (Order, error) {
		// The service "parcels" is down.
		status, err := rpc.Call[GetOrder, string](ctx, client, "parcels.getStatus", in, rpc.WithTimeout(10*time.Millisecond))
		if err != nil {
			status = "unknown for now"
		}
		return Order{ID: in.ID, Status: status}, nil
	})
	defer start(ctx, server, client)()

	order, err := rpc.Call[GetOrder, Order](ctx, client, "orders.get", GetOrder{ID: "42"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(order.Status)

	// Output:
	// unknown for now
}

// An interceptor sees every call of its server, or of its client.
func ExampleInterceptor() {
	ctx := context.Background()
	broker := inmem.New()

	var count rpc.Interceptor = func(next rpc.Func) rpc.Func {
		return func(ctx context.Context, request *rpc.Request) (*rpc.Reply, error) {
			reply, err := next(ctx, request)
			fmt.Println(request.Queue, rpc.Status(reply, err))
			return reply, err
		}
	}
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders", Interceptors: []rpc.Interceptor{count}})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "gateway"})

	rpc.Handle(server, "orders.get", getOrder)
	defer start(ctx, server, client)()

	for _, id := range []string{"42", "43", ""} {
		if _, err := client.Do(ctx, &rpc.Request{Queue: "orders.get", Params: map[string]string{"id": id}}); err != nil {
			log.Fatal(err)
		}
	}

	// Output:
	// orders.get 200
	// orders.get 404
	// orders.get 422
}

var errShipped = errors.New("the order is shipped")

// replyError is the one place where a service translates the errors of its domain.
func replyError(err error) error {
	if errors.Is(err, errShipped) {
		return rpc.Conflict("%s", errShipped).WithReason("order-not-cancellable").WithCause(err)
	}
	return err // unknown errors become status 500
}

// A view of the server gives several methods the same translation of errors.
func ExampleWithErrors() {
	ctx := context.Background()
	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "invoices"})

	methods := server.With(rpc.WithErrors(replyError))
	rpc.Handle(methods, "orders.cancel", func(context.Context, GetOrder) (rpc.Empty, error) {
		return rpc.Empty{}, fmt.Errorf("cancel in the database: %w", errShipped)
	})
	defer start(ctx, server, client)()

	_, err := rpc.Call[GetOrder, rpc.Empty](ctx, client, "orders.cancel", GetOrder{ID: "42"})
	fmt.Println(err)

	// Output:
	// call orders.cancel: 409 Conflict: the order is shipped
}

// A handler decides what an error of another service means for its own caller. It passes an error on that is about its own
// request. Any other is its own failure, whatever the status: here, a 403 becomes a 500.
func ExampleError_PassOn() {
	ctx := context.Background()
	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "shop"})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "shop"})

	rpc.Handle(server, "orders.get", func(ctx context.Context, in GetOrder) (Order, error) {
		if in.ID == "44" {
			return Order{}, rpc.Forbidden("invoices may not read this order")
		}
		return getOrder(ctx, in)
	})
	rpc.Handle(server, "invoices.create", func(ctx context.Context, in GetOrder) (Order, error) {
		order, err := rpc.Call[GetOrder, Order](ctx, client, "orders.get", in)
		if failure, ok := errors.AsType[*rpc.Error](err); ok && failure.Reason == "not-found" {
			return Order{}, failure.PassOn()
		}
		return order, err
	})
	defer start(ctx, server, client)()

	for _, id := range []string{"42", "43", "44"} {
		reply, err := client.Do(ctx, &rpc.Request{Queue: "invoices.create", Params: map[string]string{"id": id}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(reply.Status)
	}

	// Output:
	// 200
	// 404
	// 500
}

// A caller tells errors apart by their reason, not by their text.
func ExampleError() {
	ctx := context.Background()
	broker := inmem.New()
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "orders"})
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "invoices"})

	rpc.Handle(server, "orders.get", getOrder)
	defer start(ctx, server, client)()

	for _, id := range []string{"43", ""} {
		_, err := rpc.Call[GetOrder, Order](ctx, client, "orders.get", GetOrder{ID: id})
		if failure, ok := errors.AsType[*rpc.Error](err); ok {
			fmt.Println(failure.Status, failure.Reason, failure.Fields)
		}
	}

	// Output:
	// 404 not-found []
	// 422 invalid-input [{id is required}]
}
