package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"example.com/warren/cmd/warren/internal/dead"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/services/gateway"
)

// Broker is what a console needs of a broker.
type Broker struct {
	Kind      string // inmem or rabbitmq
	Inspector messaging.Inspector
	Browse    func(context.Context) (deadletter.Browser, error)
}

const (
	deadSuffix     = ".dead"
	callbackSuffix = ".rpc.response"
	gatewayName    = "gateway"

	brokerTimeout = 5 * time.Second
	queuesMaxAge  = time.Second     // of what all pages are told
	missingMaxAge = 5 * time.Second // RabbitMQ logs an error at each look for a queue that does not exist
	maxKeys       = 1000
	maxShownBody  = 16 << 10
	maxDeadList   = 50
)

// queueState is a queue as the page shows it.
type queueState struct {
	Name      string   `json:"name"`
	Dead      bool     `json:"dead"`
	Messages  int      `json:"messages"`
	Consumers int      `json:"consumers"`
	Oldest    *float64 `json:"oldest"` // the time of the oldest dead-lettered message
	Error     string   `json:"error"`
}

// queueCache remembers the last look at the queues.
type queueCache struct {
	mu      sync.Mutex // guards the fields below; held during a look, so that there is one at a time
	looked  time.Time
	states  []queueState
	err     error
	oldests map[string]queueState // by queue, as of the last time that its number of messages changed
	missing map[string]time.Time  // when a queue was not there
}

// queues lists the queues of the routes, of the spans, and their dead-letter queues.
func (c *Console) queues(*http.Request) (any, error) {
	states, err := c.queueStates()
	return map[string]any{"queues": states}, brokerError(err)
}

// queueStates looks at the queues, unless another page did so just now.
func (c *Console) queueStates() ([]queueState, error) {
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	if time.Since(c.cache.looked) >= queuesMaxAge {
		ctx, cancel := context.WithTimeout(context.Background(), brokerTimeout)
		defer cancel()
		c.cache.states, c.cache.err = c.look(ctx)
		c.cache.looked = time.Now()
	}
	return c.cache.states, c.cache.err
}

// look leaves out queues that do not exist, except those of routes.
func (c *Console) look(ctx context.Context) ([]queueState, error) {
	expected := map[string]bool{gatewayName + callbackSuffix: false}
	for _, name := range c.store.queueNames() {
		expected[name] = false
	}
	for _, r := range gateway.Routes() {
		expected[r.Queue] = true
	}
	for name := range expected {
		if !strings.HasSuffix(name, deadSuffix) && !strings.HasSuffix(name, callbackSuffix) {
			expected[name+deadSuffix] = false
		}
	}
	states := []queueState{}
	for name, always := range expected {
		if !always && time.Since(c.cache.missing[name]) < missingMaxAge {
			continue
		}
		state := queueState{Name: name, Dead: strings.HasSuffix(name, deadSuffix)}
		var err error
		state.Messages, state.Consumers, err = c.options.Broker.Inspector.Inspect(ctx, name)
		switch {
		case err == nil && state.Dead:
			state.Oldest = c.oldest(ctx, state)
		case err == nil:
		case errors.Is(err, messaging.ErrUnroutable) || errors.Is(err, messaging.ErrInvalidQueue):
			if !always {
				c.cache.missing[name] = time.Now()
				continue
			}
			state.Error = "no such queue"
		default:
			return nil, err
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b queueState) int { return cmp.Compare(a.Name, b.Name) })
	return states, nil
}

// oldest returns the time of the oldest message of a dead-letter queue. It browses the queue only if it has changed: a
// broker counts that as a delivery.
func (c *Console) oldest(ctx context.Context, state queueState) *float64 {
	if last, ok := c.cache.oldests[state.Name]; ok && last.Messages == state.Messages {
		return last.Oldest
	}
	if state.Messages > 0 {
		_ = c.browse(ctx, state.Name, func(ctx context.Context, b deadletter.Browser) error { // an error leaves the time unknown
			return dead.List(ctx, b, state.Name, 1, func(_ string, m messaging.Message) {
				at := deadletter.DeathOf(m).Time
				if at.IsZero() {
					at = m.Timestamp
				}
				state.Oldest = unixMilli(at)
			})
		})
	}
	c.cache.oldests[state.Name] = state
	return state.Oldest
}

func unixMilli(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	ms := float64(t.UnixMilli())
	return &ms
}

// brokerError gives an error of the broker the status of its response.
func brokerError(err error) error {
	if err == nil {
		return nil
	}
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	switch {
	case errors.Is(err, deadletter.ErrNoQueue):
		return fail(http.StatusNotFound, "%s", text)
	case errors.Is(err, messaging.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded):
		return fail(http.StatusServiceUnavailable, "%s", text)
	default:
		return fail(http.StatusConflict, "%s", text)
	}
}

// deadView is a dead-lettered message as the page shows it.
type deadView struct {
	Key         string         `json:"key"`
	ID          string         `json:"id"`
	Reason      string         `json:"reason"`
	Died        *float64       `json:"died"`
	FromQueue   string         `json:"from_queue"`
	Size        int            `json:"size"`
	ContentType string         `json:"content_type"`
	Headers     map[string]any `json:"headers"`
	Body        string         `json:"body"`
	BodyIsText  bool           `json:"body_is_text"`
	Truncated   bool           `json:"truncated"`
}

func newDeadView(key string, m messaging.Message) deadView {
	death := deadletter.DeathOf(m)
	body := m.Body[:min(len(m.Body), maxShownBody)]
	view := deadView{
		Key: key, ID: m.ID, Reason: death.Reason, Died: unixMilli(death.Time), FromQueue: death.Queue, Size: len(m.Body),
		ContentType: m.ContentType, Headers: map[string]any{}, BodyIsText: utf8.Valid(m.Body), Truncated: len(body) < len(m.Body),
	}
	for name, value := range m.Headers {
		if _, err := json.Marshal(value); err != nil {
			value = fmt.Sprint(value) // JSON has no NaN and no infinity
		}
		view.Headers[name] = value
	}
	if view.BodyIsText {
		view.Body = strings.ToValidUTF8(string(body), "") // the last character may have been cut
	}
	return view
}

// deadLetters lists the oldest messages of a dead-letter queue.
func (c *Console) deadLetters(r *http.Request) (any, error) {
	queue, messages := r.URL.Query().Get("queue"), []deadView{}
	err := c.browse(r.Context(), queue, func(ctx context.Context, b deadletter.Browser) error {
		return dead.List(ctx, b, queue, maxDeadList, func(key string, m messaging.Message) {
			messages = append(messages, newDeadView(key, m))
		})
	})
	return map[string]any{"queue": queue, "messages": messages}, err
}

// browse calls f with a browser for a dead-letter queue. Other queues are not browsed: that would take messages from consumers.
func (c *Console) browse(ctx context.Context, queue string, f func(context.Context, deadletter.Browser) error) error {
	if !strings.HasSuffix(queue, deadSuffix) {
		return fail(http.StatusBadRequest, "the name of a dead-letter queue ends with %s", deadSuffix)
	}
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	c.browsing.Lock() // two browsers would hide messages from each other
	defer c.browsing.Unlock()
	b, err := c.options.Broker.Browse(ctx)
	if err != nil {
		return brokerError(err)
	}
	defer b.Close()
	return brokerError(f(ctx, b))
}

// changeDead replays or drops the messages of a queue that the body of a request selects.
func (c *Console) changeDead(
	f func(context.Context, deadletter.Browser, string, []string) (int, error),
) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var selected struct {
			Queue string   `json:"queue"`
			Keys  []string `json:"keys"`
		}
		if err := readJSON(r, &selected); err != nil {
			return nil, err
		}
		if n := len(selected.Keys); n == 0 || n > maxKeys {
			return nil, fail(http.StatusBadRequest, "give from 1 to %d keys", maxKeys)
		}
		done := 0
		// A page that is closed does not end it between two messages.
		err := c.browse(context.WithoutCancel(r.Context()), selected.Queue, func(ctx context.Context, b deadletter.Browser) (err error) {
			done, err = f(ctx, b, selected.Queue, selected.Keys)
			return err
		})
		return map[string]int{"done": done}, err
	}
}
