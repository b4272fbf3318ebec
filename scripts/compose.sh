#!/bin/sh
# Runs compose, with the container engine that this machine has, on the system: scripts/compose.sh logs --follow gateway
# The settings are in the environment or in deployments/.env; those of scripts/compose.sh demo are in deployments/demo.env.
set -eu
folder=$(dirname "$0")/../deployments
VERSION=$(git -C "$folder" describe --tags --always 2>/dev/null || true)
COMMIT=$(git -C "$folder" rev-parse HEAD 2>/dev/null || true)
export VERSION COMMIT

if [ "${1:-}" = demo ]; then
	shift
	set -- --env-file "$folder/demo.env" "$@"
fi
for engine in docker podman; do
	if "$engine" info >/dev/null 2>&1 && "$engine" compose version >/dev/null 2>&1; then
		exec "$engine" compose --file "$folder/compose.services.yaml" --file "$folder/compose.yaml" "$@"
	fi
done
echo "no running container engine with compose found (docker or podman); make demo runs without one" >&2
exit 1
