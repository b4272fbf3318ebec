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
	if folder, err = filepath.Abs(File("bin/test")); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
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
	cmd.Dir = File(".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return folder, nil
}

// lock waits until no other process holds the lock of the file, which it creates.
func lock(path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file.Close, nil
}
