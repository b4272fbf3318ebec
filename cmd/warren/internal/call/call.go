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
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"example.com/warren/cmd/warren/internal/broker"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
)

// Command is warren call.
type Command struct {
	Method   string        `arg:"" completion-predictor:"method" help:"The method, such as orders.getAll."`
	Query    pairs         `placeholder:"NAME=VALUE" help:"A parameter of the query; may be repeated."`
	Param    pairs         `placeholder:"NAME=VALUE" help:"A parameter of the path; may be repeated."`
	Header   pairs         `placeholder:"NAME=VALUE" help:"A header; may be repeated."`
	Body     content       `placeholder:"TEXT" help:"The body: a text, @FILE, or - for the standard input. It is JSON unless there is a --header Content-Type=…"`
	As       string        `xor:"identity" placeholder:"USER" help:"Log in as this user, and call with the identity."`
	Password string        `env:"WARREN_PASSWORD" help:"The user's password. Default: the user's name, as in the demo."`
	Identity identity      `xor:"identity" placeholder:"JSON" help:"Call with an identity that access-control.validateToken has returned: a text, @FILE, or -."`
	Timeout  time.Duration `default:"5s" help:"How long to wait for the reply (${default})."`
	Include  bool          `short:"i" help:"Print the status and the headers before the body."`

	Broker service.BrokerConfig `embed:""`
}

// Help implements kong.HelpProvider.
func (*Command) Help() string {
	return "The body is printed as it arrived. The exit status is 0 after a reply of status 2xx. Example, with BROKER_URL set:\n\n" +
		"  warren call orders.getAll --query limit=5 --as demo"
}

// Validate reports what kong does not.
func (c *Command) Validate() error {
	switch {
	case len(c.Method) > messaging.MaxHeaderNameBytes:
		return fmt.Errorf("a method's name has at most %d bytes", messaging.MaxHeaderNameBytes)
	case c.Timeout <= 0:
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
	user, err := c.findServices(starting, options)
	if err != nil {
		return broker.OneLine(err)
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
	if errors.Is(err, rpc.ErrTimeout) {
		err = fmt.Errorf("%w: waited for %s, see --timeout", err, c.Timeout)
	}
	if err != nil {
		return err
	}
	return c.print(k.Stdout, reply)
}

// existing does not declare the queues of methods: a misspelled one must not stay on the broker.
type existing struct{ rpc.Transport }

func (existing) Ensure(context.Context, messaging.Queue) error { return nil }

// findServices returns an error unless each method that is called has a service that consumes its queue. It returns the
// broker's user, who may have queues that begin with the name.
func (c *Command) findServices(ctx context.Context, options rabbitmq.Options) (user string, err error) {
	i, err := rabbitmq.NewInspector(ctx, options)
	if err != nil {
		return "", fmt.Errorf("connect to BROKER_URL: %w", err)
	}
	defer i.Close()
	methods := []string{c.Method}
	if c.As != "" {
		methods = append(methods, login, validateToken)
	}
	for _, method := range methods {
		consumers, err := i.Consumers(ctx, method)
		switch {
		case errors.Is(err, messaging.ErrUnroutable):
			return "", fmt.Errorf("call %s: the broker has no such queue: is the name right, and has the service run?", method)
		case errors.Is(err, rabbitmq.ErrAccessRefused): // the users of services may not look since RabbitMQ 4.3
		case err != nil:
			return "", fmt.Errorf("call %s: %w", method, err)
		case consumers == 0:
			return "", fmt.Errorf("call %s: the service is not running: its queue has no consumer", method)
		}
	}
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

func (c *Command) print(out io.Writer, reply *rpc.Reply) error {
	status := strings.TrimSpace(fmt.Sprint(reply.Status, " ", http.StatusText(reply.Status)))
	var text strings.Builder
	if c.Include {
		header := http.Header{}
		maps.Copy(header, reply.Header)
		if reply.ContentType != "" {
			header.Set("Content-Type", reply.ContentType)
		}
		text.WriteString(status + "\r\n")
		_ = header.Write(&text)
		text.WriteString("\r\n")
	}
	text.Write(reply.Body)
	file, isFile := out.(*os.File)
	if isFile && isatty.IsTerminal(file.Fd()) && !strings.HasSuffix(text.String(), "\n") {
		text.WriteString("\n")
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return err
	}
	if reply.Status < 200 || reply.Status > 299 {
		return fmt.Errorf("call %s: %s", c.Method, status)
	}
	return nil
}
