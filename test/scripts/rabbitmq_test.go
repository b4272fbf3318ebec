// Package scripts tests the scripts that make targets run, where that needs no network.
package scripts

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstallRabbitMQ(t *testing.T) {
	// No release of RabbitMQ has these versions, so that only the installation of the test serves.
	const version, other = "0.9", "0.8"
	installation := t.TempDir()
	program(t, installation, "rabbitmq-server", "")
	program(t, installation, "rabbitmqctl", "echo "+version+".1")
	onPath := "PATH=" + installation + ":" + os.Getenv("PATH")
	noPackages := "PATH=" + tools(t, "mkdir", "dirname")

	tests := map[string]struct {
		env     []string
		want    string // part of the output
		wantErr string // the whole line, without the script's name
	}{
		"on PATH":      {[]string{"RABBITMQ=" + version, onPath}, "RabbitMQ " + version + ".1: " + installation, ""},
		"exact":        {[]string{"RABBITMQ=" + version + ".1", onPath}, "RabbitMQ " + version + ".1: " + installation, ""},
		"named folder": {[]string{"RABBITMQ=" + version, "RABBITMQ_SBIN=" + installation}, "", ""},
		"named folder of another version": {
			[]string{"RABBITMQ=" + other, "RABBITMQ_SBIN=" + installation}, "",
			"RABBITMQ_SBIN=" + installation + " has RabbitMQ " + version + ".1, not " + other,
		},
		"empty folder": {[]string{"RABBITMQ_SBIN=/var/empty"}, "", "RABBITMQ_SBIN=/var/empty has no rabbitmq-server"},
		"another version, no apt-get": {
			[]string{"RABBITMQ=" + other, noPackages}, "",
			"RabbitMQ " + other + " is not installed, and can't be unpacked without apt-get",
		},
		"no version": {[]string{"RABBITMQ=../x"}, "", "RABBITMQ=../x is no version such as 3.10 or 4.3"},
		"a broker":   {[]string{"AMQP_URL=amqp://broker.example", noPackages}, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			out, complaint, err := install(t, append(test.env, "XDG_CACHE_HOME="+cache)...)
			if (err != nil) != (test.wantErr != "") {
				t.Errorf("exit status: %v; %s", err, complaint)
			}
			if !strings.Contains(out, test.want) {
				t.Errorf("output %q, want %q", out, test.want)
			}
			if want := "install-rabbitmq.sh: " + test.wantErr + "\n"; test.wantErr != "" && complaint != want {
				t.Errorf("error %q, want %q", complaint, want)
			}
			if test.want == "" {
				return
			}
			wanted := strings.TrimPrefix(test.env[0], "RABBITMQ=")
			link, err := os.Readlink(filepath.Join(cache, "warren", "rabbitmq", wanted, "sbin"))
			if err != nil || link != installation {
				t.Errorf("the cache links %q, %v, want %q", link, err, installation)
			}
		})
	}
}

// install runs the script with variables added to an environment that selects nothing.
func install(t *testing.T, env ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "../../scripts/install-rabbitmq.sh")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err = cmd.Run()
	return out.String(), complaint.String(), err
}

// program writes a shell script.
func program(t *testing.T, folder, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// tools returns a folder with these programs of the machine, and no others.
func tools(t *testing.T, names ...string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(folder, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
