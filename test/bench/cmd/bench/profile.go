package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/warren/test/bench/internal/profile"
	"example.com/warren/test/internal/system"
)

// profileCommand is the command profile.
type profileCommand struct {
	Callers  int           `default:"64" help:"Number of callers."`
	Duration time.Duration `default:"10s" help:"Duration of the CPU profile."`
	Folder   string        `default:"test/bench/profiles" help:"Folder for the profiles."`
}

// profile returns the program and the environment that make a service serve profiles.
func (l *lab) profile(ctx context.Context, program string, env []string) (string, []string, error) {
	addr, err := system.FindAddr(ctx)
	if err != nil {
		return "", nil, err
	}
	switch program {
	case "gateway":
		program = "profiled-gateway"
	case benchService: // serves profiles itself
	default:
		return program, env, nil
	}
	l.profiled[program] = addr
	return program, append(env, profile.AddrVariable+"="+addr), nil
}

// Run is called by kong.
func (c *profileCommand) Run(ctx context.Context) error {
	lab, err := newLab(ctx, allPrograms)
	if err != nil {
		return err
	}
	defer lab.close()
	lab.profiled = map[string]string{}
	rows, err := lab.rows(ctx, starters, []string{"gateway"})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Folder, 0o755); err != nil { //nolint:gosec // everyone may read it
		return fmt.Errorf("make the folder of profiles: %w", err)
	}
	// Warm up, and then apply load for a little longer than the profile takes.
	if _, err := lab.wrk(ctx, rows[0], c.Callers, 2*time.Second); err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		result, err := lab.wrk(ctx, rows[0], c.Callers, c.Duration+time.Second)
		fmt.Printf("%.0f requests/s under the profiler, %d errors\n", float64(result.Requests)/result.Duration.Seconds(), result.Errors)
		return err
	})
	for program, addr := range lab.profiled {
		work.Go(func() error { return c.save(ctx, program, addr) })
	}
	return work.Wait()
}

// save writes the profiles of one program. The CPU profile comes first: the others cover all time since the start.
func (c *profileCommand) save(ctx context.Context, program, addr string) error {
	seconds := strconv.Itoa(int(c.Duration.Seconds()))
	for _, p := range []struct{ file, path string }{
		{"cpu", "profile?seconds=" + seconds}, {"heap", "heap"}, {"allocs", "allocs"}, {"mutex", "mutex"}, {"block", "block"},
	} {
		file := filepath.Join(c.Folder, program+"-"+p.file+".pprof")
		if err := download(ctx, "http://"+addr+"/debug/pprof/"+p.path, file); err != nil {
			return fmt.Errorf("%s profile of %s: %w", p.file, program, err)
		}
		fmt.Println("go tool pprof -top", file)
	}
	return nil
}

// download streams a URL into a file. It has no time limit: a CPU profile takes as long as it was asked to.
func download(ctx context.Context, url, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w %d of %s", errStatus, response.StatusCode, url)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, response.Body)
	return errors.Join(err, out.Close())
}
