package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"example.com/warren/cmd/warren/internal/console"
	"example.com/warren/pkg/service"
)

// startConsole starts the console and returns the settings by which services send it their traces. The services' logs go to it
// as well. Call stop after the services have ended.
func (d *demo) startConsole(ctx context.Context, broker *console.Broker) (env []string, stop func() error, err error) {
	if d.consoleAddr == "" {
		return nil, func() error { return nil }, nil
	}
	options := console.Options{
		Version: service.ReadBuild().String(),
		Gateway: d.url,
		User:    &console.User{Username: demoUser, Password: demoUser},
		Broker:  broker,
	}
	c, err := console.Start(ctx, d.consoleAddr, options)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(d.consoleAddr) // Start has parsed it
		if c, err = console.Start(ctx, net.JoinHostPort(host, "0"), options); err == nil {
			d.say("Something else listens on %s: the console has another port.\n", d.consoleAddr)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: choose another address with --console (make demo CONSOLE=…)", err)
	}
	d.console = c.URL()
	d.logs = io.MultiWriter(d.logs, c.Log())
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL(),
		"OTEL_BSP_SCHEDULE_DELAY=200", // ms: a user watches
	}, c.Close, nil
}

// setTelemetry replaces the process's settings of OpenTelemetry, which have no flags. Call restore at the end.
func setTelemetry(env []string) (restore func(), err error) {
	before := map[string]string{}
	for _, setting := range os.Environ() {
		if name, value, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "OTEL_") {
			before[name] = value
			err = errors.Join(err, os.Unsetenv(name))
		}
	}
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		err = errors.Join(err, os.Setenv(name, value))
	}
	return func() {
		for _, setting := range env {
			name, _, _ := strings.Cut(setting, "=")
			_ = os.Unsetenv(name)
		}
		for name, value := range before {
			_ = os.Setenv(name, value)
		}
	}, err
}
