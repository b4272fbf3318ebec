package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"example.com/warren/test/bench/internal/load"
)

//go:embed wrk.lua
var wrkScript []byte

// wrkResult is what wrk.lua prints. Its requests include responses with a wrong status.
type wrkResult struct {
	load.Result
	Bytes int `json:"bytes"`
}

// wrk makes the load of one row for a duration.
func (l *lab) wrk(ctx context.Context, r *row, callers int, d time.Duration) (wrkResult, error) {
	var result wrkResult
	script := filepath.Join(l.folder, "wrk.lua")
	if err := os.WriteFile(script, wrkScript, 0o600); err != nil {
		return result, fmt.Errorf("write wrk's script: %w", err)
	}
	tokens := filepath.Join(l.folder, "tokens")
	if err := os.WriteFile(tokens, []byte(strings.Join(r.tokens, "\n")), 0o600); err != nil {
		return result, fmt.Errorf("write wrk's tokens: %w", err)
	}
	var stdout, stderr bytes.Buffer
	seconds := strconv.Itoa(int(max(d, time.Second).Seconds()))
	cmd := exec.CommandContext(ctx, "wrk", "--threads", "1", "--connections", strconv.Itoa(callers),
		"--duration", seconds+"s", "--timeout", "10s", "--script", script, r.url)
	cmd.Env = append(os.Environ(), "TOKENS="+tokens)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return result, fmt.Errorf("wrk %s: %w: %s%s", r.url, err, stdout.String(), stderr.String())
	}
	if err := json.Unmarshal(stderr.Bytes(), &result); err != nil {
		return result, fmt.Errorf("read wrk's result %q: %w", stderr.String(), err)
	}
	return result, nil
}

// checkBytes returns an error unless the received bytes match the number of right responses. The last response of each caller
// may be incomplete.
func (w wrkResult) checkBytes(response, callers int) error {
	low, high := w.Requests*response, (w.Requests+callers)*response
	if w.Bytes < low || w.Bytes > high {
		return fmt.Errorf("%d responses in %d bytes: a response has %d", w.Requests, w.Bytes, response)
	}
	return nil
}
