package rabbitmqtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
)

// Free ports are chosen below those that systems assign to outgoing connections and below those that tests choose, so that
// no other process takes a node's port while the node is down.
const (
	lowestPort  = 10_000
	highestPort = 21_000
)

var errNoFreePort = errors.New("no free port")

// ports are the ports of one node.
type ports struct {
	amqp         int
	distribution int // for other nodes and rabbitmqctl
	tls          int // 0 without TLS
}

func findPorts(ctx context.Context, options Options) (p ports, err error) {
	if p.amqp = options.Port; p.amqp == 0 {
		if p.amqp, err = freePort(ctx); err != nil {
			return p, err
		}
	}
	if p.distribution, err = freePort(ctx, p.amqp); err != nil {
		return p, err
	}
	if options.TLS != nil {
		p.tls, err = freePort(ctx, p.amqp, p.distribution)
	}
	return p, err
}

// freePort returns a port of the loopback interface that is neither in use nor in taken.
func freePort(ctx context.Context, taken ...int) (int, error) {
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort) //nolint:gosec // a port is no secret
		if slices.Contains(taken, port) {
			continue
		}
		if checkFree(ctx, port) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("%w between %d and %d", errNoFreePort, lowestPort, highestPort)
}

// checkFree returns the error that a server would get when it listens on port.
func checkFree(ctx context.Context, port int) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address(port))
	if err != nil {
		return err
	}
	return listener.Close()
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
