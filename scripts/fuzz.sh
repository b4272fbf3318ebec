#!/bin/sh
# Runs each fuzz target of the modules for FUZZTIME. go test takes one target of one package at a time.
set -eu

grep -r --include='*_test.go' '^func Fuzz' "$@" | sed -n 's/^\(.*\)\/[^/]*:func \(Fuzz[A-Za-z0-9_]*\).*/\1 \2/p' |
	while read -r package target; do
		echo "$package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$package"
	done
