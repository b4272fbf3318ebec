package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// process is a running program.
type process struct {
	name      string
	pid       int
	log       string // file of the output
	admin     string // address of the listener with metrics; empty: none
	callgrind bool   // runs under callgrind
	cmd       *exec.Cmd
	in        io.Closer // standard input
	out       io.Reader // standard output of a program that reports
}

// start runs a program whose output goes to a file, as that of services does.
func (l *lab) start(name, program string, args, env []string) (*process, error) {
	p := &process{name: name, log: filepath.Join(l.folder, name+".log")}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	cmd := l.command(program, args, env)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.cmd, p.pid, p.callgrind = cmd, cmd.Process.Pid, l.runsCallgrind(program)
	l.processes = append(l.processes, p)
	return p, nil
}

// command returns a command whose environment holds only env and the lab's settings. It has no context: processes outlive the
// calls that start them, and stop with the lab.
func (l *lab) command(program string, args, env []string) *exec.Cmd {
	line := append([]string{l.program(program)}, args...)
	if l.runsCallgrind(program) {
		line = append(l.callgrind(), line...)
		env = slices.Concat(env, callgrindSettings)
	}
	cmd := exec.Command(line[0], line[1:]...) //nolint:noctx // see the comment
	cmd.Env = slices.Concat(env, l.settings)
	cmd.SysProcAttr = attributes()
	return cmd
}

// startReporter runs a program that makes load and reports on its standard output.
func (l *lab) startReporter(program string, args, env []string) (*process, *bytes.Buffer, error) {
	var complaints bytes.Buffer
	cmd := l.command(program, args, env)
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	return &process{
		name: program, pid: cmd.Process.Pid, callgrind: l.runsCallgrind(program), cmd: cmd, in: in, out: out,
	}, &complaints, nil
}

// stop sends SIGTERM, and kills the process if it does not end in time.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if the process has ended
	force := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer force.Stop()
	_ = p.cmd.Wait() // the exit status does not matter
}

// clearLog empties the log, so that an access log does not fill the disk.
func (p *process) clearLog() { _ = os.Truncate(p.log, 0) }

// awaitReady waits for the line "ready" in a program's log. With many queues it takes a while.
func (p *process) awaitReady(ctx context.Context) error {
	return p.await(ctx, 3*startTimeout, func(context.Context) error {
		log, err := os.ReadFile(p.log)
		if err == nil && !bytes.Contains(log, []byte("ready\n")) {
			err = errNotReady
		}
		return err
	})
}

// await polls a URL until the response has status 200.
func await(ctx context.Context, p *process, url, token string) error {
	return p.await(ctx, startTimeout, func(ctx context.Context) error {
		_, err := get(ctx, url, token)
		return err
	})
}

// await calls f until it succeeds, for limit at most. The error holds f's last one and the end of the process's log.
func (p *process) await(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(p.log) // empty if there is none
			return fmt.Errorf("await %s: %w; its log ends with:\n%s", p.name, err, log[max(0, len(log)-2000):])
		}
	}
}

var errNotReady = errors.New("not ready")

var errStatus = errors.New("unexpected status")

// get makes a request and returns the size of the response on the wire.
func get(ctx context.Context, url, token string) (bytesOnWire int, err error) {
	u, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	if token != "" {
		u.Header.Set("Authorization", "Bearer "+token)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.URL.Host)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return 0, err
	}
	if err := u.Write(conn); err != nil {
		return 0, err
	}
	return readResponse(conn, u)
}
