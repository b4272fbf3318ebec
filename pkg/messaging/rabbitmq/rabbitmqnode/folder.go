package rabbitmqnode

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// makeFolder makes a node's folder in options.Dir, with all that the node reads.
func makeFolder(options Options) (string, error) {
	folder, err := os.MkdirTemp(options.Dir, "rabbitmq-")
	if err != nil {
		return "", fmt.Errorf("make the node's folder: %w", err)
	}
	if err := writeFiles(folder, options); err != nil {
		return "", fmt.Errorf("fill the node's folder: %w", removeAfter(err, folder))
	}
	return folder, nil
}

func writeFiles(folder string, options Options) error {
	config, err := configuration(options)
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"rabbitmq.conf":   config,
		"advanced.config": "[].\n",
		"enabled_plugins": "[" + strings.Join(options.Plugins, ",") + "].\n",
		".erlang.cookie":  rand.Text(),
	} {
		// Erlang refuses a cookie that others may read.
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func configuration(options Options) (string, error) {
	config := options.Config + "\n"
	if options.Definitions == "" {
		return config, nil
	}
	path, err := filepath.Abs(options.Definitions)
	if err != nil {
		return "", fmt.Errorf("definitions: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("definitions: %w", err)
	}
	return config + "load_definitions = " + path + "\n", nil
}

// environment is this process's without what would lead the node, or rabbitmqctl, to another one's files
// (https://www.rabbitmq.com/docs/configure#supported-environment-variables).
func environment(folder, name string, port, distributionPort int) []string {
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
		"RABBITMQ_NODE_PORT="+strconv.Itoa(port),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(distributionPort),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+loopback,
		"RABBITMQ_CTL_ERL_ARGS="+loopback,
		// Any free port: the default is a range of eleven, shared by every rabbitmqctl of the machine.
		"RABBITMQ_CTL_DIST_PORT_MIN=0",
		"RABBITMQ_CTL_DIST_PORT_MAX=0",
		"RABBITMQ_MNESIA_BASE="+filepath.Join(folder, "mnesia"),
		"RABBITMQ_LOG_BASE="+filepath.Join(folder, "log"),
		"RABBITMQ_LOGS=-", // the log goes to the standard output
		"RABBITMQ_PID_FILE="+filepath.Join(folder, "pid"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(folder, "enabled_plugins"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(folder, "rabbitmq.conf"),
		"RABBITMQ_CONFIG_FILES="+filepath.Join(folder, "conf.d"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+filepath.Join(folder, "advanced.config"),
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(folder, "rabbitmq-env.conf"),
		// The script becomes the server instead of starting it as a child: a signal to the process we started reaches it.
		"RUNNING_UNDER_SYSTEMD=true",
	)
}

// home lets Erlang find the node's cookie.
func home(folder string) string { return "HOME=" + folder }
