package dead

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/alecthomas/kong"

	"example.com/warren/pkg/messaging/deadletter"
)

// A client writes one command to the socket and reads a stream of results until one is Done. It closes the connection to
// cancel the command.
type (
	remoteCommand struct {
		Args []string `json:"args"`
	}
	remoteResult struct {
		Out   []byte `json:"out,omitempty"`
		Notes []byte `json:"notes,omitempty"`
		Done  bool   `json:"done,omitempty"`
		Error string `json:"error,omitempty"`
	}
)

// forward has the process that listens on socket run the command, and copies its output to c.
func forward(ctx context.Context, socket string, args []string, c console) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("connect to the demo: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := json.NewEncoder(conn).Encode(remoteCommand{Args: args}); err != nil {
		return fmt.Errorf("send the command to the demo: %w", err)
	}
	for results := json.NewDecoder(conn); ; {
		var r remoteResult
		switch err := results.Decode(&r); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("read the demo's result: %w", err)
		case r.Error != "":
			return errors.New(r.Error)
		case r.Done:
			return nil
		}
		_, _ = c.out.Write(r.Out)
		_, _ = c.notes.Write(r.Notes)
	}
}

// Server runs the commands that other processes of the same user send.
type Server struct {
	listener net.Listener
	browse   func() deadletter.Browser
	cancel   context.CancelFunc
	commands sync.WaitGroup
}

// Serve listens on a Unix socket that only this user may open. Each command gets a browser from browse. Call Close to stop.
func Serve(socket string, browse func() deadletter.Browser) (*Server, error) {
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err == nil {
		err = os.Chmod(socket, 0o600)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("listen for warren dead: %w", err)
	}
	s := &Server{listener: listener, browse: browse, cancel: cancel}
	s.commands.Go(func() { s.accept(ctx) })
	return s, nil
}

// Close cancels the running commands, waits for them, and removes the socket.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.cancel()
	s.commands.Wait()
}

func (s *Server) accept(ctx context.Context) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.commands.Go(func() { s.serve(ctx, conn) })
	}
}

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var command remoteCommand
	if err := json.NewDecoder(conn).Decode(&command); err != nil {
		return
	}
	s.commands.Go(func() { // the client sends nothing more, so the read ends with the connection
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	})
	results := json.NewEncoder(conn)
	send := func(r remoteResult) error { return results.Encode(r) }
	last := remoteResult{Done: true}
	if err := s.run(ctx, command.Args, send); err != nil {
		last.Error = err.Error()
	}
	_ = send(last)
}

// run is main of a command whose output goes to send.
func (s *Server) run(ctx context.Context, args []string, send func(remoteResult) error) error {
	b := s.browse()
	defer b.Close()
	var commands struct {
		Dead Command `cmd:""`
	}
	commands.Dead.browser = b
	parser, err := kong.New(&commands, kong.Name("warren"), kong.NoDefaultHelp(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Writers(
			writerFunc(func(p []byte) error { return send(remoteResult{Out: p}) }),
			writerFunc(func(p []byte) error { return send(remoteResult{Notes: p}) }),
		))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return parsed.Run()
}

type writerFunc func([]byte) error

func (f writerFunc) Write(p []byte) (int, error) {
	if err := f(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
