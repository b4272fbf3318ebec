// Package call implements warren call, which calls a method over the broker as the gateway does.
package call

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/broker"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
)

// Command is warren call.
type Command struct {
	Method   string        `arg:"" completion-predictor:"method" help:"The method, such as access-control.login."`
	Query    pairs         `placeholder:"NAME=VALUE" help:"A parameter of the query; may be repeated."`
	Param    pairs         `placeholder:"NAME=VALUE" help:"A parameter of the path; may be repeated."`
	Header   pairs         `placeholder:"NAME=VALUE" help:"A header; may be repeated."`
	Body     content       `placeholder:"TEXT" help:"The body: a text or @FILE. It is JSON unless there is a --header Content-Type=…"`
	As       string        `xor:"identity" placeholder:"USER" help:"Log in as this user, and call with the identity."`
	Password string        `env:"WARREN_PASSWORD" help:"The user's password. Default: the user's name, as in the demo."`
	Identity identity      `xor:"identity" placeholder:"JSON" help:"Call with an identity that access-control.validateToken has returned: a text or @FILE."`
	Timeout  time.Duration `default:"5s" help:"How long to wait for the reply (${default})."`
	Include  bool          `short:"i" help:"Print the status and the headers before the body."`

	Broker service.BrokerConfig `embed:""`
}

// Help implements kong.HelpProvider.
func (*Command) Help() string {
	return "The body is printed as it arrived. The exit status is 0 after a reply of status 2xx. Example, with BROKER_URL set:\n\n" +
		"  warren call billing.getAll --query limit=5 --as demo"
}

// Validate reports what kong does not.
func (c *Command) Validate() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout must be above 0s, is %s", c.Timeout)
	}
	return nil
}

const (
	startTimeout = 10 * time.Second // of the connection and the callback queue
	closeTimeout = 2 * time.Second
)

// Run makes the call.
func (c *Command) Run(ctx context.Context, k *kong.Context) error {
	options, err := broker.Options(&c.Broker, "call")
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	user, err := logInToBroker(starting, options)
	if err != nil {
		return fmt.Errorf("connect to BROKER_URL: %w", broker.OneLine(err))
	}
	b, err := rabbitmq.New(options)
	if err != nil {
		return err
	}
	client := rpc.NewClient(existing{b}, rpc.ClientOptions{
		Name: user, Instance: "call-" + rand.Text(), Temporary: true, Timeout: c.Timeout, Logger: slog.New(slog.DiscardHandler),
	})
	defer func() { // also after Ctrl-C; if it fails, the queue ends with the connection
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = client.Close(ctx)
		_ = b.Close(ctx)
	}()
	if err := client.Start(starting); err != nil {
		return err
	}
	reply, err := c.call(ctx, client)
	switch {
	case errors.Is(err, rpc.ErrTimeout):
		return fmt.Errorf("%w: waited for %s: %s", err, c.Timeout, c.whyNoReply(ctx, b))
	case errors.Is(err, messaging.ErrUnroutable):
		return fmt.Errorf("%w: the broker has no such queue: is the name right, and has the service run?", err)
	case err != nil:
		return err
	}
	return c.print(k.Stdout, reply)
}

// whyNoReply tells a service that is down from a slow one. The messages of both wait in their queue.
func (c *Command) whyNoReply(ctx context.Context, b messaging.Inspector) string {
	queues := []string{c.Method}
	if c.As != "" {
		queues = []string{loginMethod, validateMethod, c.Method}
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	for _, queue := range queues {
		if _, consumers, err := b.Inspect(ctx, queue); err != nil {
			return "is the service running? See also --timeout"
		} else if consumers == 0 {
			return fmt.Sprintf("queue %s has no consumer: the service is not running", queue)
		}
	}
	return "the service is running: see its log, and --timeout"
}

// existing does not declare the queues of methods: a misspelled one must not stay on the broker.
type existing struct{ rpc.Transport }

func (existing) Ensure(context.Context, messaging.Queue) error { return nil }

// logInToBroker returns the broker's user, who may have queues that begin with the name. It fails at once if the broker is
// unreachable, which the connection of the call would retry.
func logInToBroker(ctx context.Context, options rabbitmq.Options) (user string, err error) {
	i, err := rabbitmq.NewInspector(ctx, options)
	if err != nil {
		return "", err
	}
	defer i.Close()
	return i.User(), nil
}

func (c *Command) call(ctx context.Context, client *rpc.Client) (_ *rpc.Reply, err error) {
	r := &rpc.Request{Queue: c.Method, Query: url.Values(c.Query), Params: map[string]string{}, Header: http.Header{}, Body: c.Body}
	for name, values := range c.Param {
		r.Params[name] = values[len(values)-1]
	}
	for name, values := range c.Header {
		name = http.CanonicalHeaderKey(name)
		r.Header[name] = append(r.Header[name], values...)
	}
	if r.ContentType = r.Header.Get("Content-Type"); r.ContentType == "" && len(c.Body) > 0 {
		r.ContentType = "application/json"
	}
	r.Header.Del("Content-Type")
	r.Identity = c.Identity.Identity
	if c.As != "" {
		if r.Identity, err = logIn(ctx, client, c.As, cmp.Or(c.Password, c.As)); err != nil {
			return nil, fmt.Errorf("log in as %s: %w", c.As, err)
		}
	}
	return client.Do(ctx, r)
}

type (
	credentials struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	accessToken struct {
		AccessToken string `json:"access_token"`
	}
	token struct {
		Token string `json:"token"`
	}
)

const loginMethod, validateMethod = "access-control.login", "access-control.validateToken"

// logIn returns the identity of a user, which access-control has signed.
func logIn(ctx context.Context, client *rpc.Client, user, password string) (*rpc.Identity, error) {
	issued, err := rpc.Call[credentials, accessToken](ctx, client, loginMethod, credentials{user, password})
	if err != nil {
		return nil, err
	}
	return rpc.Call[token, *rpc.Identity](ctx, client, validateMethod, token{issued.AccessToken})
}

func (c *Command) print(out io.Writer, reply *rpc.Reply) error {
	status := strings.TrimSpace(fmt.Sprint(reply.Status, " ", http.StatusText(reply.Status)))
	var head strings.Builder
	if c.Include {
		head.WriteString(status + "\r\n")
		if reply.ContentType != "" {
			head.WriteString("Content-Type: " + reply.ContentType + "\r\n")
		}
		_ = reply.Header.Write(&head)
		head.WriteString("\r\n")
	}
	if _, err := fmt.Fprintf(out, "%s%s", &head, reply.Body); err != nil {
		return err
	}
	if reply.Status < 200 || reply.Status > 299 {
		return fmt.Errorf("call %s: %s", c.Method, status)
	}
	return nil
}
