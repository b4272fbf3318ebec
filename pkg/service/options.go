package service

import (
	"io"
	"os"

	"example.com/warren/pkg/messaging"
)

// Option changes how Run runs a service.
type Option func(*options)

type options struct {
	broker         messaging.Broker
	stdout, stderr io.Writer
	ready          func(Info)
}

func newOptions(list []Option) options {
	o := options{stdout: os.Stdout, stderr: os.Stderr, ready: func(Info) {}}
	for _, option := range list {
		option(&o)
	}
	return o
}

// WithBroker makes the service use b in place of the broker at BROKER_URL. Run closes it, in every case.
func WithBroker(b messaging.Broker) Option { return func(o *options) { o.broker = b } }

// WithOutput sets where --help and the log go. Default: the process's.
func WithOutput(stdout, stderr io.Writer) Option {
	return func(o *options) { o.stdout, o.stderr = stdout, stderr }
}

// WithReady calls f once, when the service has started. It must not block.
func WithReady(f func(Info)) Option { return func(o *options) { o.ready = f } }

// Info is what WithReady tells of a running service.
type Info struct {
	AdminAddr string // where the admin listener listens, with its real port; empty: it is off
}
