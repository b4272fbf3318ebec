// Package profile serves profiles of a running program.
package profile

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"time"
)

// AddrVariable is the environment variable with the listener's address. Without it, no profiles are served.
const AddrVariable = "PROFILE_ADDR"

// The sampling rates of the mutex and block profiles. They are low enough not to show in the CPU profile.
const (
	mutexFraction = 20
	blockRate     = 100 * time.Microsecond
)

// Serve serves the profiles of package net/http/pprof in the background if AddrVariable is set.
func Serve() error {
	addr := os.Getenv(AddrVariable)
	if addr == "" {
		return nil
	}
	runtime.SetMutexProfileFraction(mutexFraction)
	runtime.SetBlockProfileRate(int(blockRate))
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	listener, err := net.Listen("tcp", addr) //nolint:noctx // returns at once
	if err != nil {
		return fmt.Errorf("serve profiles (%s): %w", AddrVariable, err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with the process
	return nil
}
