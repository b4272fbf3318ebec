//go:build !linux

package demo

import "testing"

// awaitNoProcess needs Linux's /proc.
func awaitNoProcess(*testing.T, string) {}
