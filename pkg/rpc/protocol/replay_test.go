package protocol

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
)

// deadLetter returns m as it is in the dead-letter queue of orders.create.
func deadLetter(m messaging.Message) messaging.Message {
	return deadletter.Mark(m, "orders.create", deadletter.ReasonDeliveryLimit, testNow)
}

func TestReplay(t *testing.T) {
	request := Encoder{ReplyTo: "gateway.rpc.response", Persistent: true}.Request(fullRequest(), testSecret, testNow)
	forever := fullRequest()
	forever.Deadline = time.Time{}
	replayed := Encoder{Persistent: true}.Request(forever, testSecret, testNow)
	reply := Encoder{AppID: "orders", Persistent: true}.Reply(&Reply{Status: 200}, fullRequest(), testSecret)
	plain := messaging.Message{CorrelationID: "7", ReplyTo: "plain.replies", Body: []byte("body"), Persistent: true}
	for name, test := range map[string]struct{ m, want messaging.Message }{
		"a request":       {request, replayed},
		"a replay":        {replayed, replayed},
		"a reply":         {reply, reply},
		"another message": {plain, plain},
	} {
		t.Run(name, func(t *testing.T) {
			dead := deadLetter(test.m)
			before := driver.Normalize(dead)
			if diff := cmp.Diff(test.want, Replay(deadletter.Revive(dead))); diff != "" {
				t.Errorf("replayed message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, driver.Normalize(dead)); diff != "" {
				t.Errorf("the dead-lettered message itself was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestIsRequest(t *testing.T) {
	request := Encoder{ReplyTo: "gateway.rpc.response", Persistent: true}.Request(fullRequest(), testSecret, testNow)
	if !IsRequest(deadLetter(request)) {
		t.Fatal("a dead-lettered request was not recognized")
	}
	got, err := DecodeRequest("orders.create", deadLetter(request))
	if err != nil {
		t.Fatal(err)
	}
	want := fullRequest()
	got.Deadline = got.Deadline.UTC()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if !IsRequest(messaging.Message{Type: "rpc.request"}) {
		t.Error("a request of an earlier version was not recognized")
	}
	for name, m := range map[string]messaging.Message{
		"a plain message": {Body: []byte("body")},
		"a reply":         Encoder{AppID: "orders"}.Reply(&Reply{Status: 200}, fullRequest(), testSecret),
	} {
		if IsRequest(m) {
			t.Errorf("%s was taken for a request", name)
		}
	}
	malformed := messaging.Message{Type: typeRequest, Headers: map[string]any{headerRequest: 2}}
	if r, err := DecodeRequest("orders.create", malformed); err == nil {
		t.Errorf("a malformed request was decoded to %+v", r)
	}
}
