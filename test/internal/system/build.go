package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// BuildPrograms builds the services and the warren tool, as make build does, and returns their folder. All packages share it: the
// go command links only what has changed.
func BuildPrograms(ctx context.Context) (folder string, err error) {
	root, err := filepath.Abs(File("."))
	if err != nil {
		return "", err
	}
	folder = filepath.Join(root, "bin", "test")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(folder, ".lock"))
	if err != nil {
		return "", fmt.Errorf("wait for other builds: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	args := []string{"build", "-trimpath", "-ldflags=-w", "-o", folder + string(filepath.Separator), "./cmd/warren"}
	for _, service := range Services {
		args = append(args, "./services/"+service+"/cmd/"+service)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK="+filepath.Join(root, "go.work"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return folder, nil
}

// lock locks the file at path, which it creates. It waits while another process holds the lock, which ends with the process.
func lock(path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file.Close, nil
}
