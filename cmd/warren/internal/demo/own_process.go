package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"example.com/warren/pkg/process"
)

// killDelay is how long a service may take to stop before it is killed. It is longer than the service's own limit.
const killDelay = stopTimeout + 5*time.Second

// ownProcess is a service in its own process.
type ownProcess struct {
	name      string
	process   *process.Process
	command   string // starts it again in a shell
	killDelay time.Duration
}

// wholeLines passes what a process prints on in whole lines, for a log that processes share: a pipe cuts what is written at once.
type wholeLines struct {
	next io.Writer
	rest []byte // the beginning of a line
}

func (w *wholeLines) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	_, err := w.next.Write(w.rest[:end])
	w.rest = append(w.rest[:0], w.rest[end:]...)
	return len(p), err
}

// startOwnProcess starts the program at path with env as its whole environment. logs gets what it prints, in whole lines.
func startOwnProcess(name, path string, env []string, logs io.Writer) (*ownProcess, error) {
	p, err := process.Start(path, env, &wholeLines{next: logs})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	command := "env -i " + commandLine(env, []string{path}) // the user's shell should not matter
	return &ownProcess{name: name, process: p, command: command, killDelay: killDelay}, nil
}

func (p *ownProcess) pid() int { return p.process.PID() }

func (p *ownProcess) ended() <-chan struct{} { return p.process.Done() }

func (p *ownProcess) err() error {
	if err := p.process.Wait(); err != nil {
		return fmt.Errorf("%s (pid %d): %w; its log ends with:\n%s", p.name, p.pid(), err, p.process.Tail())
	}
	return nil
}

func (p *ownProcess) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), p.killDelay)
	defer cancel()
	_ = p.process.Stop(ctx) // err reports a kill
}

func (p *ownProcess) notice() string {
	return fmt.Sprintf("\n%s (pid %d) was stopped. Start it again with the command below; Ctrl-C stops it then:\n\n  %s\n",
		p.name, p.pid(), p.command)
}
