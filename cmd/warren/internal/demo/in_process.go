package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"example.com/warren/cmd/warren/internal/console"
	"example.com/warren/cmd/warren/internal/dead"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/service"
	"example.com/warren/services/gateway"
)

// runInProcess runs the services in this process, each with its own connection to one in-memory broker.
func (d *demo) runInProcess(ctx context.Context) (err error) {
	if err := d.unsetEnvironment(); err != nil {
		return err
	}
	server := inmem.NewServer()
	socket := filepath.Join(d.folder, "dead.sock")
	deadLetters, err := dead.Serve(socket, func() deadletter.Browser { return server.Browse() })
	if err != nil {
		return err
	}
	defer deadLetters.Close()
	warren, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	for _, r := range gateway.Routes() {
		if r.Method == http.MethodPost && r.Scope != "" { // the first method that changes a user's data
			d.deadList = commandLine(nil, []string{warren, "dead", "list", "--demo=" + socket, r.Queue})
			break
		}
	}
	connection := server.Connect()
	env, stopConsole, err := d.startConsole(ctx, &console.Broker{
		Kind: "inmem", Inspector: connection, Browse: func(context.Context) (deadletter.Browser, error) { return server.Browse(), nil },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopConsole(), connection.Close(context.WithoutCancel(ctx))) }()
	if len(env) > 0 {
		restore, err := setTelemetry(env)
		defer restore()
		if err != nil {
			return err
		}
	}
	g := newGroup(len(d.specs))
	taken := map[string]bool{}
	for _, s := range d.specs {
		if err := s.chooseAdminAddr(ctx, taken); err != nil {
			return errors.Join(unlessEnded(ctx, err), g.stop())
		}
		g.add(s, startInProcess(ctx, s, server.ConnectAs(s.service.Name), d.logs))
	}
	return d.serve(ctx, g, nil)
}

// unsetEnvironment removes the variables whose settings the services get as flags, and those of RabbitMQ, which is not
// used. A variable with an invalid value ends a start even if there is a flag, and the user's shell should not matter.
func (d *demo) unsetEnvironment() error {
	names := []string{
		"ADMIN_ADDR",
		"BROKER_URL", "BROKER_HEARTBEAT", "BROKER_CA", "BROKER_SERVER_NAME", "BROKER_CERTIFICATE", "BROKER_KEY",
	}
	for _, s := range d.specs {
		for _, setting := range s.env {
			name, _, _ := strings.Cut(setting, "=")
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := errors.Join(os.Unsetenv(name), os.Unsetenv(name+"_FILE")); err != nil {
			return err
		}
	}
	return nil
}

// inProcess is a service that runs in this process.
type inProcess struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	result error // of Run; set before done is closed
}

// startInProcess runs a service until stop is called. It outlives ctx, so that services stop one after the other.
func startInProcess(ctx context.Context, s spec, broker *inmem.Broker, logs io.Writer) *inProcess {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &inProcess{name: s.service.Name, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.result = service.Run(ctx, s.service, s.args(), service.WithBroker(broker), service.WithOutput(io.Discard, logs))
	}()
	return p
}

func (p *inProcess) ended() <-chan struct{} { return p.done }

func (p *inProcess) err() error {
	<-p.done
	return p.result
}

func (p *inProcess) stop() {
	p.cancel()
	<-p.done // STOP_TIMEOUT bounds it
}

func (p *inProcess) pid() int { return 0 }

func (p *inProcess) notice() string { return fmt.Sprintf("\n%s has stopped.\n", p.name) }
