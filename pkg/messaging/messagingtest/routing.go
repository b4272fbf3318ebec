package messagingtest

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

func testPublishUnroutable(t *tester) {
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	for what, name := range map[string]string{
		"unknown queue": t.newQueue().Name,
		"no name":       "",
	} {
		t.wantError(what, b.Publish(t.ctx, name, newMessage("")), messaging.ErrUnroutable)
	}
	if err := b.Publish(t.ctx, strings.Repeat("q", messaging.MaxHeaderNameBytes+1), newMessage("")); err == nil {
		t.Error("a message for a queue whose name is too long was published")
	}
	t.publish(b, q, "marker")
	t.expect(received, "marker")
}

// testPublishSameID publishes messages with one ID at the same time. Each Publish gets its own result.
func testPublishSameID(t *tester) {
	const rounds = 20
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	unknown, m := t.newQueue(), newMessage("same")
	var routed, unroutable []<-chan error
	for range rounds {
		routed = append(routed, inBackground(func() error { return b.Publish(t.ctx, q.Name, m) }))
		unroutable = append(unroutable, inBackground(func() error { return b.Publish(t.ctx, unknown.Name, m) }))
	}
	for i := range rounds {
		if err := awaittest.Receive(t, routed[i], "Publish"); err != nil {
			t.Errorf("Publish: %v", err)
		}
		t.wantError("Publish to an unknown queue", awaittest.Receive(t, unroutable[i], "Publish"), messaging.ErrUnroutable)
	}
	t.expectEachOnce(received, slices.Repeat([]string{"same"}, rounds))
}

// returnsOf collects the messages that are returned to b, until stop.
func returnsOf(b messaging.Broker) (returned chan messaging.Return, stop func()) {
	returned = make(chan messaging.Return, loadMessages)
	return returned, b.OnReturn(func(r messaging.Return) { returned <- r })
}

// sendUnroutable sends a message to a queue that does not exist, and returns its name.
func (t *tester) sendUnroutable(b messaging.Broker, m messaging.Message) string {
	t.Helper()
	name := t.newQueue().Name
	if err := b.Send(t.ctx, name, m); err != nil {
		t.Fatalf("Send: %v", err)
	}
	return name
}

func testSendUnroutable(t *tester) {
	b, other := t.connect(), t.connect()
	returned, stop := returnsOf(b)
	defer stop()
	again, stopAgain := returnsOf(b)
	defer stopAgain()
	returnedToOther, stopOther := returnsOf(other)
	defer stopOther()

	sent, want := t.fullMessage()
	name := t.sendUnroutable(b, sent)
	for _, c := range []chan messaging.Return{returned, again} {
		got := awaittest.Receive(t, c, "the returned message")
		if diff := cmp.Diff(messaging.Return{Queue: name, Message: want}, got); diff != "" {
			t.Errorf("returned message (-want +got):\n%s", diff)
		}
	}
	name = t.sendUnroutable(other, newMessage("marker"))
	if got := awaittest.Receive(t, returnedToOther, "the other connection's returned message"); got.Queue != name {
		t.Errorf("another connection was given back a message that it had not sent: %q", got.Message.Body)
	}

	q, received := t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	t.wantError("Publish", b.Publish(t.ctx, t.newQueue().Name, newMessage("published")), messaging.ErrUnroutable)
	name = t.sendUnroutable(b, newMessage("marker"))
	if got := awaittest.Receive(t, returned, "the marker"); got.Queue != name {
		t.Errorf("a message that was published came back to OnReturn: %q", got.Message.Body)
	}
	if err := b.Send(t.ctx, q.Name, newMessage("routed")); err != nil {
		t.Fatalf("Send: %v", err)
	}
	t.expect(received, "routed")
}

func testOnLoss(t *tester) {
	b := t.connect()
	lost, heard := make(chan struct{}, 100), make(chan struct{}, 100)
	defer b.OnLoss(func() { lost <- struct{}{} })()
	stop := b.OnLoss(func() { heard <- struct{}{} })
	for range 2 {
		t.options.Interrupt(t.T, b)
		awaittest.Receive(t, lost, "OnLoss")
		// OnLoss promises that the broker is reachable.
		q, received := t.newQueue(), newInbox()
		t.subscribe(b, q, received.handle)
		if err := b.Send(t.ctx, q.Name, newMessage("once more")); err != nil {
			t.Fatalf("Send after OnLoss: %v", err)
		}
		t.expect(received, "once more")
	}
	for range 2 {
		awaittest.Receive(t, heard, "OnLoss of the second observer")
	}
	stop()
	t.options.Interrupt(t.T, b)
	awaittest.Receive(t, lost, "OnLoss")
	t.roundTrip(b)
	if len(heard) > 0 {
		t.Error("OnLoss called a function after it was stopped")
	}
}

func testOnReturnStop(t *tester) {
	b := t.connect()
	stopped, stop := returnsOf(b)
	stop()
	returned, stopReturned := returnsOf(b)
	defer stopReturned()
	for range 2 {
		t.sendUnroutable(b, newMessage("unroutable"))
		awaittest.Receive(t, returned, "the returned message")
	}
	// The second message was returned, so every observer has seen the first.
	if len(stopped) > 0 {
		t.Error("OnReturn called a function after it was stopped")
	}
	stopReturned()

	q, received := t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	t.sendUnroutable(b, newMessage("not observed"))
	t.publish(b, q, "marker")
	t.expect(received, "marker")
}
