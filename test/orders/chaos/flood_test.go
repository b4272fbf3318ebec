package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// flood is a process that holds many connections. It is a second process of the test binary, because ulimit -n bounds the
// open files of each process.
type flood struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// flooding describes what a flood does.
type flooding struct {
	Addr        string // gateway
	Request     string // sent on each connection
	Connections int
}

// result is the outcome of one request.
type result struct {
	Status        int
	CorrelationID string
	Took          time.Duration
	Error         string // why the response is not a clean failure
}

const floodVariable = "CHAOS_FLOOD"

// startFlood starts a flood and returns once all connections are open.
func startFlood(t *testing.T, of flooding) *flood {
	t.Helper()
	spec, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	f := &flood{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	f.cmd.Env = append(os.Environ(), floodVariable+"="+string(spec))
	f.cmd.Stderr = os.Stderr
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	f.out = bufio.NewReader(out)
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.cmd.Process.Kill() // fails only if the process has ended
		_ = f.cmd.Wait()
	})
	if line, err := f.out.ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("%d connections: %q, %v", of.Connections, line, err)
	}
	return f
}

// send sends all requests at once.
func (f *flood) send() { _ = f.in.Close() }

// results waits until all requests have ended.
func (f *flood) results(t *testing.T) []result {
	t.Helper()
	var all []result
	if err := json.NewDecoder(f.out).Decode(&all); err != nil {
		t.Fatalf("results of a flood: %v", err)
	}
	return all
}

// runFlood is the main function of a flood's process.
func runFlood(spec string) error {
	var of flooding
	if err := json.Unmarshal([]byte(spec), &of); err != nil {
		return err
	}
	conns := make([]net.Conn, of.Connections)
	for i := range conns {
		var err error
		if conns[i], err = net.DialTimeout("tcp", of.Addr, system.Patience); err != nil {
			return fmt.Errorf("connection %d of %d, each of which is an open file (ulimit -Hn): %w", i, len(conns), err)
		}
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin) // send closes the input
	results := make([]result, len(conns))
	var running sync.WaitGroup
	for i, conn := range conns {
		running.Go(func() { results[i] = request(conn, of.Request) })
	}
	running.Wait()
	return json.NewEncoder(os.Stdout).Encode(results)
}

// request sends text and reads the response, which must be an error of the gateway.
func request(conn net.Conn, text string) (r result) {
	began := time.Now()
	defer func() {
		r.Took = time.Since(began)
		_ = conn.Close()
	}()
	_ = conn.SetDeadline(began.Add(system.Patience))
	if _, err := io.WriteString(conn, text); err != nil {
		r.Error = err.Error()
		return r
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 1<<10), nil)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = system.Response{Status: response.StatusCode, Header: response.Header, Body: body}.CheckProblem()
	}
	if err == nil && response.StatusCode == http.StatusServiceUnavailable && !response.Close {
		err = errors.New("refused without closing the connection")
	}
	if err != nil {
		r.Error = err.Error()
	}
	r.Status, r.CorrelationID = response.StatusCode, response.Header.Get("X-Correlation-Id")
	return r
}

// rawRequest returns the bytes of an HTTP request.
func rawRequest(method, path, token, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n", method, path, token)
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}
