package rpc

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// deadLetter is a message as it lies in the dead-letter queue of orders.create.
func deadLetter(m messaging.Message) messaging.Message {
	return messaging.DeadLetter(m, "orders.create", messaging.DeadLetterLimit, testNow)
}

func TestReplay(t *testing.T) {
	request := encodeRequest(fullRequest(), "gateway.rpc.response", "gateway", true, testNow)
	forever := fullRequest()
	forever.Deadline = time.Time{}
	replayed := encodeRequest(forever, "", "gateway", true, testNow)
	reply := encodeReply(&Reply{Status: 200}, testID, "orders", true, testDeadline, testNow)
	reply.TTL = 0 // as in any dead letter
	plain := messaging.Message{CorrelationID: "7", ReplyTo: "plain.replies", Body: []byte("body"), Persistent: true}
	for name, test := range map[string]struct{ m, want messaging.Message }{
		"a request":       {request, replayed},
		"a replay":        {replayed, replayed},
		"a reply":         {reply, reply},
		"another message": {plain, plain},
	} {
		t.Run(name, func(t *testing.T) {
			dead := deadLetter(test.m)
			before := dead.Normalize()
			if diff := cmp.Diff(test.want, Replay(dead)); diff != "" {
				t.Errorf("replayed message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, dead.Normalize()); diff != "" {
				t.Errorf("the dead letter itself was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestDecodeRequest(t *testing.T) {
	request := encodeRequest(fullRequest(), "gateway.rpc.response", "gateway", true, testNow)
	got, ok := DecodeRequest("orders.create", deadLetter(request))
	if !ok {
		t.Fatal("a request was not told")
	}
	want := fullRequest()
	got.Deadline = got.Deadline.UTC()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	for name, m := range map[string]messaging.Message{
		"a plain message": {Body: []byte("body")},
		"a reply":         encodeReply(&Reply{Status: 200}, testID, "orders", false, testDeadline, testNow),
		"malformed":       {Type: typeRequest, Headers: map[string]any{headerRequest: 2}},
	} {
		if r, ok := DecodeRequest("orders.create", m); ok {
			t.Errorf("%s passed for the request %+v", name, r)
		}
	}
}

// TestReplayIsHandled: as it is, the request of a caller that is gone would be dropped.
func TestReplayIsHandled(t *testing.T) {
	b := newBroker(t)
	expired, handled := make(chan struct{}, 1), make(chan *Request, 1)
	f := func(_ context.Context, r *Request) (*Reply, error) {
		handled <- r
		return &Reply{}, nil
	}
	serve(t, b, ServerOptions{Observer: Observer{ExpiredRequest: func() { expired <- struct{}{} }}}, "orders.create", f)
	request := fullRequest()
	request.Deadline = time.Now().Add(-time.Minute)
	m := encodeRequest(request, "gateway.rpc.response", "gateway", true, testNow)
	m.TTL = 0
	noError(t, b.Publish(t.Context(), "orders.create", m))
	awaittest.Receive(t, expired, "the request to be dropped")
	noError(t, b.Publish(t.Context(), "orders.create", Replay(deadLetter(m))))
	want := fullRequest()
	want.Deadline = time.Time{}
	if diff := cmp.Diff(want, awaittest.Receive(t, handled, "the request")); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}
