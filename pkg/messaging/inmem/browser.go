package inmem

import (
	"context"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
)

// Browser implements deadletter.Browser.
type Browser struct {
	broker *Broker
	cursor *cursor // opened last; nil before the first Open
}

// Browse returns a browser of the server's queues.
func (s *Server) Browse() *Browser { return &Browser{broker: s.Connect()} }

// Publish implements messaging.Publisher.
func (b *Browser) Publish(ctx context.Context, queue string, m messaging.Message) error {
	return b.broker.Publish(ctx, queue, m)
}

// Close implements deadletter.Browser.
func (b *Browser) Close() {
	b.broker.close()
	if b.cursor != nil {
		_ = b.cursor.Close(context.Background())
	}
}

// Open implements deadletter.Browser.
func (b *Browser) Open(ctx context.Context, queue string) (deadletter.Cursor, error) {
	b.broker.server.mu.Lock()
	defer b.broker.server.mu.Unlock()
	err := b.broker.usable(ctx)
	q := b.broker.server.lookup(queue)
	if err == nil && q == nil {
		err = deadletter.ErrNoQueue
	}
	if err != nil {
		return nil, named("browse queue", queue, err)
	}
	q.dropExpired()
	b.cursor = &cursor{broker: b.broker, queue: q, left: len(q.ready)}
	return b.cursor, nil
}

// cursor implements deadletter.Cursor. It takes the messages that it shows out of the queue.
type cursor struct {
	broker  *Broker
	queue   *queue
	left    int
	current *message   // nil before the first Next and after Remove
	kept    []*message // shown earlier and not removed
	message messaging.Message
	err     error
}

func (c *cursor) Left() int                  { return c.left }
func (c *cursor) Message() messaging.Message { return c.message }
func (c *cursor) Renewed() int               { return 0 } // this broker does not count what cursors show

func (c *cursor) Next(ctx context.Context) bool {
	c.broker.server.mu.Lock()
	defer c.broker.server.mu.Unlock()
	c.keep()
	if c.err == nil {
		c.err = c.broker.usable(ctx)
	}
	if c.err == nil && c.left > 0 && !c.queue.accepts(false) {
		c.err = messaging.ErrQueueInUse
	}
	c.queue.dropExpired()
	c.left = min(c.left, len(c.queue.ready))
	if c.err != nil || c.left == 0 {
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

func (c *cursor) Remove() error {
	c.current = nil
	return c.err
}

// Close puts the messages back even when ctx has ended.
func (c *cursor) Close(context.Context) error {
	c.broker.server.mu.Lock()
	defer c.broker.server.mu.Unlock()
	c.keep()
	for _, m := range c.kept {
		c.queue.putBack(m)
	}
	c.kept = nil
	c.queue.dispatch()
	return named("browse queue", c.queue.Name, c.err)
}
