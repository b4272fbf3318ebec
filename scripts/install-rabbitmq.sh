#!/bin/sh
# Installs RabbitMQ unless it is there or AMQP_URL names a broker. It starts and enables no service: tests and
# the demo start private nodes.
set -eu

installed() {
	command -v rabbitmq-server >/dev/null && return
	# Not in every user's PATH. pkg/messaging/rabbitmq/rabbitmqtest looks there too.
	for folder in /usr/lib/rabbitmq/bin /opt/rabbitmq/sbin /opt/homebrew/sbin /usr/local/sbin /usr/local/opt/rabbitmq/sbin; do
		[ -x "$folder/rabbitmq-server" ] && return
	done
	return 1
}

refuse() {
	cat >&2 <<-END
		RabbitMQ is not installed, and this script can't install it: $1. Choose one:
		- install it (https://www.rabbitmq.com/docs/download), e.g. apt-get install rabbitmq-server, brew install rabbitmq
		- set AMQP_URL to a running broker, e.g. amqp://guest:guest@127.0.0.1:5672/
		- run the system in containers instead: make up
	END
	exit 1
}

if [ -n "${AMQP_URL:-}" ] || installed; then
	exit
fi
command -v apt-get >/dev/null || refuse "there is no apt-get"
if [ "$(id -u)" -ne 0 ]; then
	sudo -n true 2>/dev/null || refuse "it is not run as root and sudo asks for a password"
	exec sudo -n sh "$0"
fi

# Packages start their services unless this script forbids it (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 rabbitmq-server
if command -v systemctl >/dev/null; then
	systemctl disable --quiet rabbitmq-server
fi
