package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// startTraced returns the start of a system that exports the traces of a share of its requests.
func startTraced(host, share string) func(*lab, context.Context, *row) error {
	return func(l *lab, ctx context.Context, r *row) error {
		receiver, err := l.traceReceiver(ctx)
		if err != nil {
			return err
		}
		return l.startSystem(ctx, r, host,
			"OTEL_EXPORTER_OTLP_ENDPOINT="+receiver,
			"OTEL_TRACES_SAMPLER=parentbased_traceidratio",
			"OTEL_TRACES_SAMPLER_ARG="+share)
	}
}

// traceReceiver returns the URL of a receiver that drops what it gets, and starts it if it does not run. It uses the processor
// of this program, which no row counts.
func (l *lab) traceReceiver(ctx context.Context) (string, error) {
	if l.receiver == nil {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("listen for traces: %w", err)
		}
		l.receiver = &http.Server{
			Addr:              listener.Addr().String(),
			ReadHeaderTimeout: time.Minute,
			Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
			}),
		}
		go func() { _ = l.receiver.Serve(listener) }() // until close
	}
	return "http://" + l.receiver.Addr, nil
}
