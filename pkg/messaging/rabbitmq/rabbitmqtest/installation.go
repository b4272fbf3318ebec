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

// FindCtl returns the path of rabbitmqctl in the installation that a node would use, or [ErrNotInstalled].
func FindCtl() (string, error) {
	found, err := findInstallation()
	return found.ctl, err
}

// findInstallation looks only into the folder that RABBITMQ_SBIN names, if it is set. Otherwise it prefers the version that
// RABBITMQ names, which scripts/install-rabbitmq.sh keeps in the user's cache.
func findInstallation() (installation, error) {
	if sbin := os.Getenv("RABBITMQ_SBIN"); sbin != "" {
		i, err := findIn([]string{sbin})
		if err != nil {
			err = fmt.Errorf("RABBITMQ_SBIN=%s: %w", sbin, err)
		}
		return i, err
	}
	folders := slices.Clone(scriptFolders)
	if path, err := exec.LookPath("rabbitmq-server"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	if cache, err := os.UserCacheDir(); err == nil {
		versions := filepath.Join(cache, "warren", "rabbitmq")
		if wanted := os.Getenv(versionVariable); wanted != "" {
			folders = slices.Insert(folders, 0, filepath.Join(versions, wanted, "sbin"))
		}
		others, _ := filepath.Glob(filepath.Join(versions, "*", "sbin")) // the pattern is well-formed
		folders = append(folders, others...)
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
