package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqnode"
)

// errNoRabbitMQ stands in for rabbitmqnode's error: the node is the demo's own, whatever AMQP_URL says.
var errNoRabbitMQ = errors.New("no rabbitmq-server found: install RabbitMQ, as make rabbitmq does, " +
	"or run the demo without it, with --broker=inmem")

func startNode(ctx context.Context, folder string) (*rabbitmqnode.Node, error) {
	node, err := rabbitmqnode.Start(ctx, rabbitmqnode.Options{Dir: folder})
	if errors.Is(err, rabbitmqnode.ErrNotInstalled) {
		return nil, errNoRabbitMQ
	}
	return node, err
}

// ctlCommand returns a shell's words that run rabbitmqctl for node, with the program of the node's own installation:
// the one in PATH may be a wrapper that changes the user.
func ctlCommand(ctx context.Context, node *rabbitmqnode.Node) (string, error) {
	const expression = `io:format("~s~n~ts~n", [erlang:get_cookie(), code:lib_dir(rabbit)]).`
	answer, err := node.Ctl(ctx, "eval", expression)
	if err != nil {
		return "", fmt.Errorf("ask the RabbitMQ node for its cookie: %w", err)
	}
	lines := strings.Split(answer, "\n")
	if len(lines) < 2 {
		return "", fmt.Errorf("ask the RabbitMQ node for its cookie: unexpected answer %q", answer)
	}
	ctl := filepath.Join(lines[1], "..", "..", "sbin", "rabbitmqctl")
	return commandLine(nil, ctl, "--node", node.Name(), "--erlang-cookie", lines[0]), nil
}
