package rabbitmqtest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// makeFolder creates a node's folder in options.Dir. The node's name derives from it unless options has one.
func makeFolder(options Options) (folder, name string, err error) {
	folder, err = os.MkdirTemp(options.Dir, "rabbitmq-")
	if err != nil {
		return "", "", fmt.Errorf("create the node's folder: %w", err)
	}
	return folder, cmp.Or(options.Name, filepath.Base(folder)) + "@localhost", nil
}

// fillFolder writes the files that the node reads.
func fillFolder(folder, name string, ports ports, options Options) error {
	config, err := configuration(name, ports, options)
	if err != nil {
		return err
	}
	for file, content := range map[string]string{
		"rabbitmq.conf":   config,
		"advanced.config": "[].\n",
		"enabled_plugins": "[" + strings.Join(options.Plugins, ",") + "].\n",
		".erlang.cookie":  cmp.Or(options.cookie, rand.Text()),
	} {
		// Erlang refuses a cookie that other users may read.
		if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600); err != nil {
			return fmt.Errorf("write the node's files: %w", err)
		}
	}
	return nil
}

// configuration returns the text of rabbitmq.conf.
func configuration(name string, ports ports, options Options) (string, error) {
	lines := []string{options.Config}
	if options.Definitions != "" {
		path, err := absolute(options.Definitions)
		if err != nil {
			return "", fmt.Errorf("definitions: %w", err)
		}
		lines = append(lines, "load_definitions = "+path)
	}
	if options.TLS != nil {
		listener, err := options.TLS.configuration(ports.tls)
		if err != nil {
			return "", fmt.Errorf("TLS: %w", err)
		}
		lines = append(lines, listener...)
	}
	if len(options.peers) > 0 {
		// RabbitMQ 4 requires the node itself to be in the list.
		for i, peer := range append(slices.Clip(options.peers), name) {
			lines = append(lines, fmt.Sprintf("cluster_formation.classic_config.nodes.%d = %s", i+1, peer))
		}
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// configuration returns the lines of rabbitmq.conf for a TLS listener.
// See https://www.rabbitmq.com/docs/ssl#enabling-tls.
func (t *TLS) configuration(port int) ([]string, error) {
	lines := []string{"listeners.ssl.1 = " + address(port)}
	files := []struct{ option, path string }{{"certfile", t.Certificate}, {"keyfile", t.Key}}
	if t.ClientCA != "" {
		files = append(files, struct{ option, path string }{"cacertfile", t.ClientCA})
		lines = append(lines, "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true")
	}
	for _, file := range files {
		path, err := absolute(file.path)
		if err != nil {
			return nil, err
		}
		lines = append(lines, "ssl_options."+file.option+" = "+path)
	}
	return lines, nil
}

// absolute returns the path of a file for the node, which runs in another directory. The file must exist.
func absolute(file string) (string, error) {
	if _, err := os.Stat(file); err != nil {
		return "", err
	}
	return filepath.Abs(file)
}

// noBusyWait keeps idle schedulers of Erlang from spinning: the node and rabbitmqctl share the cores with tests and other nodes.
// Beside two busy loops, rabbitmqctl took up to 20 s instead of 2, because each spin yields the processor.
// See https://www.rabbitmq.com/docs/runtime#busy-waiting.
const noBusyWait = "+sbwt none +sbwtdcpu none +sbwtdio none"

// environment returns the environment of the node and of rabbitmqctl: that of this process without what would lead them to
// the files of another node. See https://www.rabbitmq.com/docs/configure#supported-environment-variables.
func environment(folder, name string, ports ports) []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "RABBITMQ_") && !strings.HasPrefix(variable, "NOTIFY_SOCKET=") {
			env = append(env, variable)
		}
	}
	const loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
	return append(env,
		home(folder),
		"LC_ALL=C.UTF-8",
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_CRASH_DUMP="+filepath.Join(folder, "erl_crash.dump"),
		"RABBITMQ_NODENAME="+name,
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_NODE_PORT="+strconv.Itoa(ports.amqp),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(ports.distribution),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+loopback+" "+noBusyWait,
		"RABBITMQ_CTL_ERL_ARGS="+loopback+" "+noBusyWait,
		// 0 is any free port. The default is a range of eleven ports, shared by every rabbitmqctl on the machine.
		"RABBITMQ_CTL_DIST_PORT_MIN=0",
		"RABBITMQ_CTL_DIST_PORT_MAX=0",
		"RABBITMQ_MNESIA_BASE="+filepath.Join(folder, "mnesia"),
		"RABBITMQ_LOG_BASE="+filepath.Join(folder, "log"),
		"RABBITMQ_LOGS=-", // standard output
		"RABBITMQ_PID_FILE="+filepath.Join(folder, "pid"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(folder, "enabled_plugins"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(folder, "rabbitmq.conf"),
		"RABBITMQ_CONFIG_FILES="+filepath.Join(folder, "conf.d"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+filepath.Join(folder, "advanced.config"),
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(folder, "rabbitmq-env.conf"),
		// The script executes the server in its own process instead of in a child, so that signals reach the server.
		"RUNNING_UNDER_SYSTEMD=true",
	)
}

// home returns the variable by which Erlang finds the node's cookie.
func home(folder string) string { return "HOME=" + folder }
