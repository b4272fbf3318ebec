#!/bin/sh
# Runs each fuzz target of the modules for FUZZTIME. go test takes one target of one package at a time. It would shrink each
# input that is new to it for up to a minute, and many are new only because of what runs in the background.
set -eu

grep -r --include='*_test.go' '^func Fuzz' "$@" | sed -n 's/^\(.*\)\/[^/]*:func \(Fuzz[A-Za-z0-9_]*\).*/\1 \2/p' |
	while read -r package target; do
		echo "$package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10x "$package"
	done
