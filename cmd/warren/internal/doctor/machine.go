package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/settings"
)

// newMachine returns this machine, without a broker.
func newMachine() (machine, error) {
	root, err := change.Root()
	return machine{
		checkout: os.DirFS(root),
		services: services.All(),
		run:      run,
		findCtl:  rabbitmqtest.FindCtl,
		inspect:  func(ctx context.Context, o rabbitmq.Options) (inspector, error) { return rabbitmq.NewInspector(ctx, o) },
	}, err
}

// run returns the first line that a program prints. The error is the last one.
func run(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return "", errors.New(cmp.Or(lines[len(lines)-1], fmt.Sprintf("run %s: %v", program, err)))
	}
	return lines[0], nil
}

func (m machine) checkGo(ctx context.Context) []finding {
	version, err := m.run(ctx, "go", "env", "GOVERSION")
	if err == nil {
		_, err = m.run(ctx, "go", "list", "-m") // refuses a go.work that asks for a newer version
	}
	if err != nil {
		return one(fail, "Go", "%v: see https://go.dev/doc/install", err)
	}
	return one(ok, "Go", "%s", version)
}

func (m machine) checkCompiler(ctx context.Context) []finding {
	compiler, err := m.run(ctx, "go", "env", "CC")
	version := ""
	if err == nil {
		version, err = m.run(ctx, compiler, "--version")
	}
	if err != nil {
		return one(warn, "C compiler", "%v: make test needs one for the race detector, e.g. apt-get install gcc libc6-dev", err)
	}
	return one(ok, "C compiler", "%s", version)
}

func (m machine) checkPorts(ctx context.Context) (found []finding) {
	for _, s := range m.services {
		for _, setting := range settingsOf(s) {
			addr := setting.Default
			if addr == "" || !strings.HasPrefix(setting.Allowed, "host:port") {
				continue
			}
			listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
			if err != nil {
				found = append(found, finding{warn, "ports", fmt.Sprintf("%s of %s, unless this system runs here now: %v: stop what listens there, "+
					"or set another address", setting.Variable, s.Name, err)})
				continue
			}
			_ = listener.Close()
			found = append(found, finding{ok, "ports", fmt.Sprintf("%s is free for %s of %s", addr, setting.Variable, s.Name)})
		}
	}
	return found
}

// otherFiles is what a gateway opens besides its connections, generously.
const otherFiles = 100

func (m machine) checkFiles(ctx context.Context) []finding {
	const subject, variable = "open files", "GATEWAY_MAX_CONNECTIONS"
	text, err := m.run(ctx, "sh", "-c", "ulimit -Hn") // the runtime of Go raises the soft limit to it
	if err != nil {
		return one(unchecked, subject, "%v", err)
	}
	if text == "unlimited" {
		return one(ok, subject, "%s", text)
	}
	limit, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return one(unchecked, subject, "%v", err)
	}
	connections, err := strconv.ParseUint(m.value(variable), 10, 64)
	if err != nil {
		return one(fail, subject, "%s is no number: %v", variable, err)
	}
	if need := connections + otherFiles; limit < need {
		return one(warn, subject, "%d allowed, %s=%d needs %d: raise the limit (ulimit -n, LimitNOFILE) or lower the setting",
			limit, variable, connections, need)
	}
	return one(ok, subject, "%d allowed, enough for %s=%d", limit, variable, connections)
}

func (m machine) checkRabbitMQ(ctx context.Context) []finding {
	const subject = "RabbitMQ"
	ctl, err := m.findCtl()
	if err != nil {
		return one(warn, subject, "%v: make rabbitmq gets one for make test and make demo BROKER=rabbitmq; make demo needs none", err)
	}
	version, err := m.run(ctx, ctl, "version")
	if err != nil {
		return one(warn, subject, "%v", err)
	}
	return one(ok, subject, "%s in %s, for make test and make demo BROKER=rabbitmq", version, filepath.Dir(ctl))
}

// settingsOf returns the settings of a service with their values in place of their defaults.
func settingsOf(s service.Service) []settings.Setting {
	list, _ := service.Settings(s) // an error is one of the service's code
	for i := range list {
		list[i].Default = cmp.Or(os.Getenv(list[i].Variable), list[i].Default)
	}
	return list
}

// value returns the value of a setting, or "" if no service has it.
func (m machine) value(variable string) string {
	for _, s := range m.services {
		for _, setting := range settingsOf(s) {
			if setting.Variable == variable {
				return setting.Default
			}
		}
	}
	return ""
}
