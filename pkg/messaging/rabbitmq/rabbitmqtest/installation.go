package rabbitmqtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// ErrNotInstalled is the error of a start on a machine without RabbitMQ.
var ErrNotInstalled = errors.New("no rabbitmq-server found: run make rabbitmq, or install RabbitMQ yourself, " +
	"or set AMQP_URL to a running broker")

// installation holds the paths of the server's own scripts.
type installation struct{ server, ctl string }

// scriptFolders are searched before PATH, where Debian and Fedora install a wrapper that changes the user.
var scriptFolders = []string{
	"/usr/lib/rabbitmq/bin", // Debian, Fedora
	"/opt/rabbitmq/sbin",    // container images
	"/opt/homebrew/sbin",    // Homebrew
	"/usr/local/sbin",       // Homebrew on Intel
	"/usr/local/opt/rabbitmq/sbin",
}

// findInstallation looks only into the folder that RABBITMQ_SBIN names, if it is set: a test of one version must not run
// on another.
func findInstallation() (installation, error) {
	if sbin := os.Getenv("RABBITMQ_SBIN"); sbin != "" {
		i, err := findIn([]string{sbin})
		if err != nil {
			err = fmt.Errorf("RABBITMQ_SBIN=%s: %w", sbin, err)
		}
		return i, err
	}
	folders := scriptFolders
	if path, err := exec.LookPath("rabbitmq-server"); err == nil {
		folders = append(slices.Clip(folders), filepath.Dir(path))
	}
	return findIn(folders)
}

func findIn(folders []string) (installation, error) {
	for _, folder := range folders {
		i := installation{server: filepath.Join(folder, "rabbitmq-server"), ctl: filepath.Join(folder, "rabbitmqctl")}
		if executable(i.server) && executable(i.ctl) {
			return i, nil
		}
	}
	return installation{}, ErrNotInstalled
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
