#!/bin/sh
# Checks that each module is tidy and builds without the workspace.
set -eu
export GOWORK=off

for module in "$@"; do
	echo "$module: go mod tidy -diff, go vet, go build"
	(cd "$module" && go mod tidy -diff && go vet ./... && go build -o /dev/null ./...)
done
