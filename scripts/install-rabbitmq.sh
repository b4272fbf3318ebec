#!/bin/sh
# Makes RabbitMQ available to tests and the demo, which start private nodes of it. It starts and enables no service.
#
#	RABBITMQ=4.3 scripts/install-rabbitmq.sh
#
# RABBITMQ is a version such as 3.10, 4.0 or 4.3. The script links an installation of that version into the user's cache, where
# pkg/messaging/rabbitmq/rabbitmqtest finds it, or else unpacks Debian's packages there. That needs apt-get, but neither root
# nor the release of Debian that has the version.
# Without RABBITMQ, whatever is installed or AMQP_URL names serves, and otherwise the newest version that can be had.
#
# RABBITMQ_SBIN names the folder of another installation. DEBIAN_MIRROR is where to download from, on a machine whose own
# packages are not Debian's.
set -eu

wanted=${RABBITMQ:-}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/warren/rabbitmq

fail() {
	echo "install-rabbitmq.sh: $1" >&2
	exit 1
}

case $wanted in
*[!0-9.]*) fail "RABBITMQ=$wanted is no version such as 3.10 or 4.3" ;;
esac

# version prints the version of the installation in a folder. A process that it leaves must not hold the lock, descriptor 9.
version() { "$1/rabbitmqctl" version 2>/dev/null 9>&- || true; }

# serves reports whether a version such as 4.3.6 is the wanted one.
serves() {
	case $1 in
	"$wanted" | "$wanted".*) ;;
	*) return 1 ;;
	esac
}

# installed prints the folder of an installation that serves. Without a wanted version, rabbitmqtest looks in the same order.
installed() {
	on_path=$(command -v rabbitmq-server || true)
	for folder in ${wanted:+"$cache/$wanted/sbin"} /usr/lib/rabbitmq/bin /opt/rabbitmq/sbin /opt/homebrew/sbin /usr/local/sbin \
		/usr/local/opt/rabbitmq/sbin ${on_path:+"${on_path%/*}"} "$cache"/*/sbin; do
		if [ -x "$folder/rabbitmq-server" ] && { [ -z "$wanted" ] || serves "$(version "$folder")"; }; then
			echo "$folder"
			return
		fi
	done
	return 1
}

# install_package installs the package of the machine's own release.
install_package() {
	command -v apt-get >/dev/null || refuse "there is no apt-get"
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		sudo -n true 2>/dev/null || refuse "it is not run as root and sudo asks for a password"
		sudo="sudo -n"
	fi
	# Packages start their services unless this script forbids it (invoke-rc.d(8)).
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap '$sudo rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
		$sudo chmod +x "$policy"
	fi
	$sudo apt-get update -q
	$sudo env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 rabbitmq-server
	if command -v systemctl >/dev/null; then
		$sudo systemctl disable --quiet rabbitmq-server
	fi
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

if [ -n "${RABBITMQ_SBIN:-}" ]; then
	[ -x "$RABBITMQ_SBIN/rabbitmq-server" ] || fail "RABBITMQ_SBIN=$RABBITMQ_SBIN has no rabbitmq-server"
	found=$(version "$RABBITMQ_SBIN")
	[ -z "$wanted" ] || serves "$found" || fail "RABBITMQ_SBIN=$RABBITMQ_SBIN has RabbitMQ ${found:-of no version}, not $wanted"
	exit
fi
if [ -z "$wanted" ] && [ -n "${AMQP_URL:-}" ]; then
	exit
fi
if [ -z "$wanted" ] && installed >/dev/null; then
	exit
fi
if [ -z "$wanted" ]; then
	for newest in 4.3 4.0; do
		if RABBITMQ=$newest sh "$0"; then
			exit
		fi
	done
	install_package
	exit
fi

# Several runs may want the same version.
root=$cache/$wanted
mkdir -p "$root"
root=$(cd "$root" && pwd -P) # paths are written into programs
sbin=$root/sbin
if command -v flock >/dev/null; then
	exec 9>"$root/lock"
	flock 9
fi
if folder=$(installed); then
	[ "$folder" = "$cache/$wanted/sbin" ] || ln -sfn "$folder" "$sbin"
	echo "RabbitMQ $(version "$folder"): $folder"
	exit
fi

for program in apt-get dpkg-deb; do
	command -v "$program" >/dev/null || fail "RabbitMQ $wanted is not installed, and can't be unpacked without $program"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
case $root in
*[[:space:]]*) fail "RabbitMQ $wanted is not installed, and can't be unpacked into $root, because of the blank in the name" ;;
esac
[ -r "$keyring" ] || fail "RabbitMQ $wanted is not installed, and can't be unpacked without the package debian-archive-keyring"
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
	awk -v release="$release" '($1 == release || $1 == "stable") && $2 == "main" { print $3; exit }')}
[ -n "$mirror" ] || fail "RabbitMQ $wanted is not installed, and apt knows no mirror of Debian: set DEBIAN_MIRROR"

debian=$root/debian
rm -rf "$sbin" "$debian"
trap 'rm -rf "$root/apt" "$root/packages"' EXIT
trap 'exit 1' HUP INT TERM

# apt runs apt-get on one release of Debian as if no package were installed. The machine's proxy and other settings hold.
apt() { apt-get -qq -c "$root/apt/apt.conf" "$@"; }

choose_release() {
	rm -rf "$root/apt"
	mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial"
	: >"$root/apt/status"
	echo "deb [signed-by=$keyring] $mirror $1 main" >"$root/apt/sources.list"
	cat >"$root/apt/apt.conf" <<-END
		Dir::State "$root/apt";
		Dir::State::lists "$root/apt/lists";
		Dir::State::status "$root/apt/status";
		Dir::Cache "$root/apt/cache";
		Dir::Etc::sourcelist "$root/apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Acquire::Languages "none";
		Acquire::Retries "3";
		APT::Sandbox::User "$(id -un)";
		APT::Update::Error-Mode "any";
		#clear APT::Update::Post-Invoke;
	END
	apt update >&2 || fail "RabbitMQ $wanted is not installed, and the packages of Debian $1 can't be read from $mirror"
}

# What testing and unstable have moves on. A version that is in none of these may be in either.
case $wanted in
3.10) releases=bookworm ;;
4.0) releases=trixie ;;
*) releases="forky sid" ;;
esac
offers=
for release in $releases; do
	echo "looking for RabbitMQ $wanted in Debian $release"
	choose_release "$release"
	plan=$(apt install --simulate --no-install-recommends rabbitmq-server patchelf)
	offer=$(echo "$plan" | awk '$1 == "Inst" && $2 == "rabbitmq-server" { sub(/[-+~].*/, "", $3); print substr($3, 2) }')
	if serves "$offer"; then
		break
	fi
	offers="$offers, Debian $release has ${offer:-none}"
	release=
done
[ -n "$release" ] || fail "RabbitMQ $wanted can't be had: it is not installed$offers"

echo "Unpacking RabbitMQ $offer of Debian $release into $root"
# A node in the foreground needs the server, Erlang and libraries of all that the package depends on.
packages=$(echo "$plan" | awk '$1 == "Inst" && $2 ~ /^(rabbitmq-server|erlang-.*|lib.*|zlib1g|patchelf)$/ { print $2 }')
mkdir -p "$root/packages" "$debian/usr/lib" "$debian/usr/lib64"
ln -s usr/lib usr/lib64 "$debian" # older packages have files in /lib
(
	cd "$root/packages"
	# shellcheck disable=SC2086 # one word each
	apt download $packages >&2 || fail "the packages of RabbitMQ $offer can't be downloaded from $mirror"
	for package in *.deb; do
		dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink --no-same-owner --directory "$debian"
	done
)

# The packages need their own C library, which may be newer than the machine's. Erlang's programs get it as their loader and
# library path. LD_LIBRARY_PATH would not do, since it would also hold for the machine's programs that they run.
erlang=$debian/usr/lib/erlang
libraries=$(dirname "$(find "$debian/usr/lib" -name libc.so.6 | head -n 1)")
loader=$(find "$debian/usr/lib" "$debian/usr/lib64" -type f -name 'ld-linux*.so.*' | head -n 1)
patchelf() { "$loader" --library-path "$libraries" "$debian/usr/bin/patchelf" "$@"; }
find "$erlang" -type f -perm -u+x | while read -r file; do
	if patchelf --print-interpreter "$file" >/dev/null 2>&1; then
		# RPATH holds for the libraries that a program loads later as well, RUNPATH does not.
		patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$file"
	fi
done
find "$erlang" -type f -name erl -exec sed -i "s#ROOTDIR=/usr/lib/erlang#ROOTDIR=$erlang#" {} +

# The last file, which marks a complete installation, comes under its name at once.
mkdir "$sbin"
for program in rabbitmqctl rabbitmq-diagnostics rabbitmq-plugins rabbitmq-queues rabbitmq-upgrade rabbitmq-server; do
	printf '#!/bin/sh\nPATH="%s:$PATH" exec "%s" "$@"\n' "$erlang/bin" "$debian/usr/lib/rabbitmq/bin/$program" >"$sbin/new"
	chmod +x "$sbin/new"
	mv "$sbin/new" "$sbin/$program"
done
got=$(version "$sbin")
if ! serves "$got"; then
	rm -r "$sbin"
	fail "the unpacked RabbitMQ $offer does not run: rabbitmqctl version prints ${got:-nothing}"
fi
echo "RabbitMQ $got: $sbin"
