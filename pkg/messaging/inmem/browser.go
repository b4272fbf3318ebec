package inmem

import (
	"context"
	"fmt"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
)

// Browser implements deadletter.Browser.
type Browser struct{ broker *Broker }

// Browse returns a browser of the server's queues.
func (s *Server) Browse() *Browser { return &Browser{s.Connect()} }

// Publish implements messaging.Publisher.
func (b *Browser) Publish(ctx context.Context, queue string, m messaging.Message) error {
	return b.broker.Publish(ctx, queue, m)
}

// Open implements deadletter.Browser.
func (b *Browser) Open(ctx context.Context, queue string) (deadletter.Cursor, error) {
	c := &cursor{broker: b.broker, name: queue}
	if err := c.open(ctx); err != nil {
		return nil, fmt.Errorf("browse queue %q: %w", queue, err)
	}
	return c, nil
}

// Close implements deadletter.Browser.
func (b *Browser) Close() { _ = b.broker.Close(context.Background()) }

// cursor implements deadletter.Cursor.
type cursor struct {
	broker  *Broker
	name    string
	queue   *queue
	left    int
	current *message   // nil before the first Next and after Remove
	kept    []*message // shown earlier and not removed
	message messaging.Message
	err     error
}

func (c *cursor) open(ctx context.Context) error {
	c.broker.server.mu.Lock()
	defer c.broker.server.mu.Unlock()
	if err := c.usable(ctx); err != nil {
		return err
	}
	c.queue = c.broker.server.lookup(c.name)
	if c.queue == nil {
		return deadletter.ErrNoQueue
	}
	c.queue.dropExpired()
	c.left = len(c.queue.ready)
	return nil
}

func (c *cursor) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.broker.usable()
}

// Left implements deadletter.Cursor.
func (c *cursor) Left() int { return c.left }

// Message implements deadletter.Cursor.
func (c *cursor) Message() messaging.Message { return c.message }

// Renewed implements deadletter.Cursor. This broker does not count the deliveries to cursors.
func (c *cursor) Renewed() int { return 0 }

// Next implements deadletter.Cursor.
func (c *cursor) Next(ctx context.Context) bool {
	c.broker.server.mu.Lock()
	defer c.broker.server.mu.Unlock()
	c.keep()
	if c.err == nil {
		c.err = c.usable(ctx)
	}
	if c.err != nil || c.left == 0 {
		return false
	}
	if !c.queue.accepts(false) {
		c.err = messaging.ErrQueueInUse
		return false
	}
	c.queue.dropExpired()
	if len(c.queue.ready) == 0 {
		c.left = 0
		return false
	}
	c.left--
	c.current = c.queue.pop()
	c.message = driver.Normalize(c.current.Message)
	return true
}

// keep withholds the current message until Close.
func (c *cursor) keep() {
	if c.current != nil {
		c.kept = append(c.kept, c.current)
		c.current = nil
	}
}

// Remove implements deadletter.Cursor.
func (c *cursor) Remove() error {
	c.current = nil
	return c.err
}

// Close implements deadletter.Cursor. It puts the messages back even when ctx has ended.
func (c *cursor) Close(context.Context) error {
	c.broker.server.mu.Lock()
	defer c.broker.server.mu.Unlock()
	c.keep()
	for _, m := range c.kept {
		c.queue.putBack(m)
	}
	c.kept = nil
	c.queue.dispatch()
	if c.err != nil {
		return fmt.Errorf("browse queue %q: %w", c.name, c.err)
	}
	return nil
}
