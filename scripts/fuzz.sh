#!/bin/sh
# Runs each fuzz target of the given modules for FUZZTIME. go test accepts one target of one package at a time.
# -fuzzminimizetime: go test would spend up to a minute on minimizing each new input, and background goroutines make many
# inputs look new.
set -eu

grep -r --include='*_test.go' '^func Fuzz' "$@" | sed -n 's/^\(.*\)\/[^/]*:func \(Fuzz[A-Za-z0-9_]*\).*/\1 \2/p' |
	while read -r package target; do
		echo "$package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10x "$package"
	done
