package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// cursor implements deadletter.Cursor with a consumer that acknowledges only what is removed. Two cursors on one queue, a
// consumer beside the cursor, or a cursor that is cancelled may leave a quorum queue in another order.
//
// RabbitMQ 4 drops a message from a quorum queue after 20 deliveries, and each cursor counts as one. The cursor replaces
// messages that come near that limit by copies at the end of the queue; see Renewed. Do not browse a queue whose own delivery
// limit is below 15 more often than that limit allows.
// See https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling.
type cursor struct {
	browser *Browser
	queue   string
	windows []*window
	left    int
	present int            // how many messages are ready once all windows are closed, unless others consume
	current *amqp.Delivery // nil before the first Next and after Remove
	message messaging.Message
	before  bool // the quorum queue had delivered the current message before
	renewed int
	err     error
}

// window is a consumer that withholds messages up to its prefetch; then the cursor opens the next one. basic.get would be
// simpler, but a quorum queue puts the messages that it returned back in no order.
type window struct {
	channel    *amqp.Channel
	tag        string
	deliveries <-chan amqp.Delivery
	capacity   int // how many more messages it can withhold
	cancelled  bool
}

// Left implements deadletter.Cursor. Messages that consumers held when the cursor was opened are not included.
func (c *cursor) Left() int { return c.left }

// Message implements deadletter.Cursor.
func (c *cursor) Message() messaging.Message { return c.message }

// Renewed implements deadletter.Cursor.
func (c *cursor) Renewed() int { return c.renewed }

// Next implements deadletter.Cursor.
func (c *cursor) Next(ctx context.Context) bool {
	if c.err = c.leave(ctx); c.err != nil || c.left == 0 {
		return false
	}
	var w *window
	if w, c.err = c.window(ctx); c.err != nil {
		return false
	}
	c.current, c.err = c.receive(ctx, w)
	if c.current == nil {
		c.present -= c.left // others have taken them
		c.left = 0
		return false
	}
	c.left--
	c.message = decode(c.current)
	acquired, _ := c.current.Headers[acquiredCountHeader].(int64)
	c.before = max(acquired, failedDeliveries(c.current)) > 0
	return true
}

// window returns the current window, or the next one if that is full.
func (c *cursor) window(ctx context.Context) (*window, error) {
	if last := len(c.windows) - 1; last >= 0 && c.windows[last].capacity > 0 {
		return c.windows[last], nil
	}
	w := &window{tag: uuid.NewString(), capacity: min(windowSize, c.left)}
	err := c.browser.call(ctx, func() (err error) {
		if w.channel, err = c.browser.session.amqp.Channel(); err != nil {
			return fmt.Errorf("open channel: %w", err)
		}
		if err := w.channel.Qos(w.capacity, 0, false); err != nil {
			return fmt.Errorf("set prefetch: %w", err)
		}
		w.deliveries, err = w.channel.Consume(c.queue, w.tag, false, false, false, false, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.windows = append(c.windows, w)
	return w, nil
}

// receive returns the next delivery, or nil if consumers have taken the messages that were left.
func (c *cursor) receive(ctx context.Context, w *window) (*amqp.Delivery, error) {
	quiet := time.NewTicker(browserQuiet)
	defer quiet.Stop()
	patience := time.NewTimer(browserPatience)
	defer patience.Stop()
	for {
		if c.browser.session.ctx.Err() != nil {
			return nil, errLost
		}
		select {
		case d, ok := <-w.deliveries:
			switch {
			case ok:
				return &d, nil
			case w.cancelled:
				return nil, nil //nolint:nilnil // documented
			default:
				return nil, errCancelled
			}
		case <-quiet.C:
			if err := c.cancelIfEmpty(ctx, w); err != nil {
				return nil, err
			}
		case <-patience.C:
			return nil, fmt.Errorf("%w: the queue has messages and none arrived within %s", messaging.ErrUnavailable, browserPatience)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// See https://www.rabbitmq.com/docs/consumer-cancel.
var errCancelled = fmt.Errorf("%w: cancelled by the broker: the queue was deleted, or its node has gone", messaging.ErrUnavailable)

// cancelIfEmpty cancels the consumer if the queue has no more messages. Deliveries that are on their way still arrive.
func (c *cursor) cancelIfEmpty(ctx context.Context, w *window) error {
	if w.cancelled {
		return nil
	}
	cancelled := false
	err := c.browser.call(ctx, func() error {
		n, err := ready(w.channel, c.queue)
		if err != nil || n > 0 {
			return err
		}
		cancelled = true
		return w.channel.Cancel(w.tag, false)
	})
	if err == nil {
		w.cancelled = cancelled
	}
	return err
}

// Remove implements deadletter.Cursor.
func (c *cursor) Remove() error {
	if c.err != nil || c.current == nil {
		return c.err
	}
	if err := c.current.Ack(false); err != nil {
		c.err = fmt.Errorf("acknowledge: %w", err)
	}
	c.current = nil
	c.present--
	return c.err
}

// leave withholds the current message, or replaces it by a copy if it was delivered too often.
func (c *cursor) leave(ctx context.Context) error {
	if c.err != nil || c.current == nil {
		return c.err
	}
	if failedDeliveries(c.current) >= renewAfter {
		err := c.renew(ctx)
		if err != nil && !errors.Is(err, messaging.ErrInvalidMessage) {
			return fmt.Errorf("renew message %s: %w", c.message.ID, err)
		}
		if err == nil {
			return nil
		}
	}
	c.windows[len(c.windows)-1].capacity--
	c.current = nil
	return nil
}

// renew publishes a copy before it removes the message, so that a crash between the two leaves both.
func (c *cursor) renew(ctx context.Context) error {
	if err := c.browser.publish(ctx, c.queue, c.message); err != nil {
		return err
	}
	c.renewed++
	c.present++
	return c.Remove()
}

// Close implements deadletter.Cursor.
func (c *cursor) Close(ctx context.Context) error {
	// A quorum queue delivers returned messages first, and puts each message that is returned behind those. It keeps its order
	// only if the cursor withholds all returned messages at the same time and returns them oldest first.
	for c.before && c.Next(ctx) {
		continue
	}
	c.err = c.leave(ctx)
	windows := c.windows
	c.windows = nil
	for i := 0; i < len(windows) && c.err == nil; i++ {
		c.err = c.browser.call(ctx, func() error { return c.closeWindow(windows[i], windows[i+1:]) })
	}
	if c.err != nil {
		return fmt.Errorf("browse queue %s: %w", c.queue, explain(c.err))
	}
	return nil
}

const (
	// returnPatience bounds how long closeWindow waits for messages to be ready again. They are not if a consumer takes
	// them, and then no order is promised.
	returnPatience = time.Second
	// returnInterval is how often closeWindow asks the broker.
	returnInterval = 5 * time.Millisecond
)

// closeWindow closes w, and waits until its messages are ready again, for the next window or cursor. A quorum queue returns them
// only when it notices the end of the channel.
func (c *cursor) closeWindow(w *window, others []*window) error {
	counter, err := c.browser.session.amqp.Channel()
	if err != nil {
		return err
	}
	defer func() { _ = counter.Close() }()
	want := c.present
	if len(others) > 0 { // only the last window is not full
		if want, err = ready(counter, c.queue); err != nil {
			return err
		}
		want += windowSize
	}
	if err := w.channel.Close(); err != nil {
		return err
	}
	tick := time.NewTicker(returnInterval)
	defer tick.Stop()
	for deadline := time.Now().Add(returnPatience); time.Now().Before(deadline); <-tick.C {
		if now, err := ready(counter, c.queue); err != nil || now >= want {
			return err
		}
	}
	return nil
}
