// Package console implements warren console: a page that shows the requests of a running system as traces, which service calls
// which, the broker's queues and dead-lettered messages, and a form that sends requests to the gateway.
//
// The console is an OTLP/HTTP receiver (otlp.go). What it receives goes to a store of bounded size (store.go), from which
// the JSON API (api.go, events.go) serves the page in web/. guard.go decides who may use any of it.
//
//	services ──OTLP──▶ sampler ──▶ store ──▶ requests, traces, map, events ──▶ page
//	demo's log lines ────────────▶ logBuffer ──▶ traces
//	broker ◀── queues, dead letters              gateway ◀── try
//
// Locks are taken in the order queueCache.mu, Console.browsing, store.mu. No other lock is held while one of them is taken.
package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"example.com/warren/cmd/warren/internal/dead"
)

//go:embed web
var web embed.FS

// Options describes the system that a console shows.
type Options struct {
	Token   string // who uses the console must present it; "": any program of this machine may
	Version string
	Gateway string // the URL for requests that users try; "": none
	User    *User  // whom users may log in as; nil: they can't
	Broker  *Broker
}

// User is a user of the gateway.
type User struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Console is a running console. Call Close to stop it.
type Console struct {
	options Options
	gateway *url.URL // nil: none
	host    string   // that Start was given, as a Host header has it
	port    string
	store   *store
	logs    *logBuffer
	cache   queueCache
	login   login
	decodes chan struct{} // limits concurrent decoding
	streams chan struct{} // limits the clients of events

	browsing sync.Mutex // held by the one browser

	server *http.Server
	serve  sync.WaitGroup
}

const (
	maxDecodes   = 4
	maxStreams   = 16
	readTimeout  = 30 * time.Second
	closeTimeout = 2 * time.Second
)

// Start serves a console at addr until Close. Without a token, addr must be of the loopback interface.
func Start(ctx context.Context, addr string, options Options) (*Console, error) {
	c := &Console{
		options: options,
		store:   newStore(defaultLimits),
		logs:    &logBuffer{},
		cache:   queueCache{oldests: map[string]queueState{}, missing: map[string]time.Time{}},
		decodes: make(chan struct{}, maxDecodes),
		streams: make(chan struct{}, maxStreams),
	}
	if options.Gateway != "" {
		var err error
		if c.gateway, err = url.Parse(options.Gateway); err != nil || c.gateway.Host == "" {
			return nil, fmt.Errorf("the gateway's URL %q is not of the form http://host:port", options.Gateway)
		}
	}
	listener, err := c.listen(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the console: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.server = &http.Server{
		Handler:     c.guard(c.routes()),
		ReadTimeout: readTimeout,
		IdleTimeout: readTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	c.server.RegisterOnShutdown(cancel) // ends the event streams
	c.serve.Go(func() { _ = c.server.Serve(listener) })
	return c, nil
}

func (c *Console) listen(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	c.host = strings.ToLower(host)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	at, ok := listener.Addr().(*net.TCPAddr)
	if !ok || !at.IP.IsLoopback() && c.options.Token == "" {
		_ = listener.Close()
		return nil, fmt.Errorf("%s is not an address of the loopback interface: other machines may reach it, so give a --token", addr)
	}
	c.port = fmt.Sprint(at.Port)
	return listener, nil
}

// URL returns the address of the page.
func (c *Console) URL() string {
	host := c.host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, c.port)
}

// Close ends the event streams and stops serving.
func (c *Console) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := c.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = c.server.Close()
	}
	c.serve.Wait()
	return err
}

// routes returns the console's handlers.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+tracesPath, c.receive)
	mux.HandleFunc("GET /api/events", c.events)
	for pattern, f := range map[string]func(*http.Request) (any, error){
		"GET /api/info":             c.info,
		"GET /api/requests":         c.requests,
		"GET /api/traces/{id}":      c.trace,
		"GET /api/correlation/{id}": c.correlation,
		"GET /api/routes":           c.routeTable,
		"GET /api/map":              c.showMap,
		"GET /api/queues":           c.queues,
		"GET /api/dead":             c.deadLetters,
		"POST /api/dead/replay":     c.changeDead(dead.Replay),
		"POST /api/dead/drop":       c.changeDead(dead.Drop),
		"POST /api/try":             c.try,
		"/api/":                     notFound,
	} {
		mux.HandleFunc(pattern, answer(f))
	}
	assets, _ := fs.Sub(web, "web") // the folder is embedded
	mux.Handle("/", http.FileServerFS(assets))
	return mux
}
