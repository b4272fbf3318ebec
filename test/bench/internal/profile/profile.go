// Package profile lets a program be profiled while it runs.
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

// AddrVariable names the environment variable with the address that profiles are served on. Without it they are off.
const AddrVariable = "PROFILE_ADDR"

// One of so many contended locks is recorded, and an event for so long of blocking: little enough not to show in the
// CPU profile.
const (
	mutexFraction = 20
	blockRate     = 100 * time.Microsecond
)

// Serve serves profiles in the background, if AddrVariable is set, as package net/http/pprof describes them.
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
	listener, err := net.Listen("tcp", addr) //nolint:noctx // there is nothing to wait for
	if err != nil {
		return fmt.Errorf("serve profiles (%s): %w", AddrVariable, err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // it ends with the process
	return nil
}
