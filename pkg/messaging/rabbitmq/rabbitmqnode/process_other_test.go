//go:build !linux

package rabbitmqnode_test

import (
	"context"
	"testing"
)

// awaitNoProcess needs Linux's /proc.
func awaitNoProcess(context.Context, *testing.T, string) {}
