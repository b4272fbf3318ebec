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
	"time"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/settings"
)

// newMachine returns this machine, without a broker.
func newMachine() machine {
	m := machine{
		services: services.All(),
		env:      os.Getenv,
		run:      run,
		findCtl:  rabbitmqtest.FindCtl,
		listen:   listen,
		maxFiles: maxFiles,
		inspect:  func(ctx context.Context, o rabbitmq.Options) (inspector, error) { return rabbitmq.NewInspector(ctx, o) },
		now:      time.Now,
	}
	if root, err := change.Root(); err == nil {
		m.checkout = os.DirFS(root)
	}
	return m
}

// programTimeout bounds each program that is run.
const programTimeout = 20 * time.Second

// run returns the first line that a program prints. The error is the last one.
func run(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, programTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second // for processes that it leaves
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	switch {
	case err == nil:
		return lines[0], nil
	case ctx.Err() == nil && len(out) > 0:
		return "", errors.New(lines[len(lines)-1])
	}
	return "", fmt.Errorf("run %s: %w", program, cmp.Or(ctx.Err(), err))
}

func listen(ctx context.Context, addr string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return l.Close()
}

func (m machine) checkGo(ctx context.Context) []finding {
	version, err := m.run(ctx, "go", "env", "GOVERSION")
	if err == nil && m.checkout != nil {
		_, err = m.run(ctx, "go", "list", "-m") // refuses a go.work that asks for a newer version
	}
	if err != nil {
		return one(fail, "Go", "%v: see https://go.dev/doc/install", err)
	}
	return one(ok, "Go", "%s", version)
}

func (m machine) checkGit(ctx context.Context) []finding {
	version, err := m.run(ctx, "git", "--version")
	if err != nil {
		return one(fail, "git", "%v: install git", err)
	}
	return one(ok, "git", "%s", version)
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

func (m machine) checkContainers(ctx context.Context) []finding {
	for _, engine := range []string{"docker", "podman"} {
		_, err := m.run(ctx, engine, "info")
		version, composeErr := m.run(ctx, engine, "compose", "version")
		if err == nil && composeErr == nil {
			return one(ok, "containers", "%s: %s", engine, version)
		}
	}
	return one(warn, "containers", "neither docker nor podman runs here with compose: make up needs one, make demo does not")
}

func (m machine) checkPorts(ctx context.Context) (found []finding) {
	var free, taken []string
	var reason error
	for _, s := range m.services {
		for _, setting := range m.settings(s) {
			addr := setting.Default
			if addr == "" || !strings.HasPrefix(setting.Allowed, "host:port") {
				continue
			}
			if err := m.listen(ctx, addr); err != nil {
				taken, reason = append(taken, fmt.Sprintf("%s (%s of %s)", addr, setting.Variable, s.Name)), err
				continue
			}
			free = append(free, addr)
		}
	}
	if len(free) > 0 {
		found = one(ok, "ports", "free: %s", strings.Join(free, ", "))
	}
	if len(taken) > 0 {
		return append(found, finding{warn, "ports", fmt.Sprintf("not free, unless this system runs here now: %s: %v",
			strings.Join(taken, ", "), reason)})
	}
	return found
}

// otherFiles is what a gateway opens besides its connections, generously.
const otherFiles = 100

func (m machine) checkFiles(context.Context) []finding {
	const subject, variable = "open files", "GATEWAY_MAX_CONNECTIONS"
	limit, err := m.maxFiles()
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

// settings returns the settings of a service with their values in place of their defaults.
func (m machine) settings(s service.Service) []settings.Setting {
	list, _ := service.Settings(s) // an error is one of the service's code
	for i := range list {
		list[i].Default = cmp.Or(m.env(list[i].Variable), list[i].Default)
	}
	return list
}

// value returns the value of a setting, or "" if no service has it.
func (m machine) value(variable string) string {
	for _, s := range m.services {
		for _, setting := range m.settings(s) {
			if setting.Variable == variable {
				return setting.Default
			}
		}
	}
	return ""
}
