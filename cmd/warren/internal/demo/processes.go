package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"example.com/warren/cmd/warren/internal/console"
	"example.com/warren/cmd/warren/internal/shellword"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// runProcesses runs each service as its own process, over a private RabbitMQ node.
func (d *demo) runProcesses(ctx context.Context, bin string) (err error) {
	programs, err := findPrograms(bin, d.specs)
	if err != nil {
		return err
	}
	d.say("Starting a private RabbitMQ node. It takes some seconds.\n")
	node, err := startNode(ctx, d.folder)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	options := rabbitmq.Options{URLs: []string{node.URL()}, Name: "warren demo", Logger: slog.New(slog.DiscardHandler)}
	broker, err := rabbitmq.New(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close(context.WithoutCancel(ctx))) }()
	telemetry, stopConsole, err := d.startConsole(ctx, console.RabbitMQ(broker, options))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopConsole()) }()
	for i := range d.specs {
		d.specs[i].env = append(d.specs[i].env, telemetry...)
	}
	g := newGroup(len(d.specs))
	guide, err := d.startProcesses(ctx, g, programs, node)
	if err != nil {
		return errors.Join(unlessEnded(ctx, err), g.stop())
	}
	return d.serve(ctx, g, guide)
}

// startProcesses starts the services and adds each to g. After an error, g has those that were started.
func (d *demo) startProcesses(ctx context.Context, g *group, programs []string, node *rabbitmqtest.Node) (*nodeGuide, error) {
	warren, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	guide := &nodeGuide{
		Ctl: commandLine(node.CtlCommand()),
		// A method that every system has.
		Call:      commandLine(nil, []string{warren, "call", "access-control.logout", "--as=demo", "-i"}),
		BrokerURL: shellword.Quote(node.URL()),
	}
	taken := map[string]bool{}
	for i, s := range d.specs {
		if err := s.chooseAdminAddr(ctx, taken); err != nil {
			return nil, err
		}
		p, err := startOwnProcess(s.service.Name, programs[i], append(s.env, "BROKER_URL="+node.URL()), d.logs)
		if err != nil {
			return nil, err
		}
		g.add(s, p)
		if get, ok := s.get(); ok && guide.Service == "" {
			guide.Service, guide.Get, guide.Stop, guide.Start = p.name, get, fmt.Sprintf("kill %d", p.pid()), p.command
		}
	}
	return guide, nil
}
