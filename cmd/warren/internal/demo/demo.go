// Package demo runs the whole system on this machine, for people who want to try it. It removes what it has started and
// written when it ends.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Command is warren demo.
type Command struct {
	Broker   string `enum:"inmem,rabbitmq" default:"inmem" help:"inmem: all services run in this process. rabbitmq: each service is its own process, over a private RabbitMQ node."`
	Addr     string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address of the HTTP API (${default}); port 0 chooses a free one."`
	Console  string `default:"127.0.0.1:8090" placeholder:"HOST:PORT" help:"Address of the console, a page that shows the requests as traces, the queues and more (${default}); port 0 chooses a free one, and an empty address means none."`
	LogLevel string `enum:",debug,info,warn,error" default:"" help:"Least severe log entries of all services: debug, info, warn or error (default: info for the gateway, warn for the others)."`
	Bin      string `placeholder:"FOLDER" help:"With rabbitmq: folder of the built services (default: that of warren itself)."`
}

// Help implements kong.HelpProvider.
func (*Command) Help() string { return "Example:\n\n  warren demo --addr=127.0.0.1:0 --log-level=info" }

// Run runs the system until ctx ends or a service fails.
func (c *Command) Run(ctx context.Context) error { return c.run(ctx, os.Stdout, os.Stderr) }

// run prints for the user to out. Services log to logs, which they use concurrently.
func (c *Command) run(ctx context.Context, out, logs io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "warren-demo-")
	if err != nil {
		return fmt.Errorf("create a folder for the demo's data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	specs, url, err := newSpecs(ctx, folder, c.Addr, c.LogLevel)
	if err != nil {
		return err
	}
	d := &demo{folder: folder, url: url, consoleAddr: c.Console, specs: specs, out: out, logs: logs}
	if c.Broker == "inmem" {
		return d.runInProcess(ctx)
	}
	return d.runProcesses(ctx, c.Bin)
}

// demo is one run.
type demo struct {
	folder string // removed at the end
	url    string // of the HTTP API

	consoleAddr string // where it should listen; "": there is none
	console     string // the URL of its page, once it runs

	specs []spec
	out   io.Writer
	logs  io.Writer

	deadList string // the command that lists dead-lettered messages; "": see nodeGuide
}

// serve waits until the services in g are ready and prints the guide. When ctx ends or a service fails, it stops the
// services and returns.
func (d *demo) serve(ctx context.Context, g *group, node *nodeGuide) error {
	err := d.present(ctx, g, node)
	if err == nil {
		g.wait(ctx, d.out)
		d.say("\nStopping.\n")
	}
	return errors.Join(unlessEnded(ctx, err), g.stop())
}

func (d *demo) present(ctx context.Context, g *group, node *nodeGuide) error {
	if err := g.awaitReady(ctx); err != nil {
		return err
	}
	s, err := newSession(ctx, d.url)
	if err != nil {
		return fmt.Errorf("try the API: %w", err)
	}
	return guide{Console: d.console, URL: d.url, Session: s, Services: g.services(), Node: node, DeadList: d.deadList}.write(d.out)
}

// say prints for the user. An error is ignored: there is no other place to report it.
func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format, args...) }

// unlessEnded returns err, or nil if ctx has ended: the user asked for that.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}
