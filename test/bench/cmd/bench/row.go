package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"example.com/warren/test/bench/internal/example"
	"example.com/warren/test/internal/system"
)

// row is one way to make calls. The load comes from client, or from wrk if client is empty.
type row struct {
	name     string
	client   string   // program
	args     []string // of client
	env      []string
	url      string
	tokens   []string   // used by requests in turns
	response int        // bytes of a right response to wrk
	gateway  *process   // nil if there is a client
	services []*process // behind the gateway or client
	noBroker bool       // makes no use of the broker
}

// orderPath is the path of the requests to gateways.
var orderPath = "/v1/orders/" + example.NewOrder(0).ID

type starter struct {
	id, name string
	start    func(*lab, context.Context, *row) error
}

// starters are the rows, in the order of the table.
var starters = []starter{
	{"raw", "raw", startClientRow("raw")},
	{"raw-as-rpc", "raw, messages as of rpc", startClientRow("raw", "--as-rpc")},
	{"minimal", "minimal, no AMQP library", startClientRow("minimal")},
	{"rpc", "rpc", startClientRow("rpc")},
	{"gateway", "gateway", func(l *lab, ctx context.Context, r *row) error { return l.startSystem(ctx, r, "") }},
	{"gateway-checked", "gateway, token checked each time", func(l *lab, ctx context.Context, r *row) error {
		return l.startSystem(ctx, r, "", "GATEWAY_TOKEN_CACHE=0s")
	}},
	{"gateway-quorum", "gateway, quorum queues", func(l *lab, ctx context.Context, r *row) error {
		return l.startSystem(ctx, r, quorumHost, "RPC_QUEUE_TYPE=quorum")
	}},
	{"gateway-traced-1", "gateway, 1 % of requests traced", startTraced(sampledHost, "0.01")},
	{"gateway-traced-100", "gateway, all requests traced", startTraced(tracedHost, "1")},
	{"article", "article", (*lab).startArticle},
	{"http", "http", (*lab).startHTTP},
}

// peerStarters are the rows of other frameworks, which npm installs.
var peerStarters = []starter{
	{"nestjs", "NestJS", func(l *lab, ctx context.Context, r *row) error { return l.startPeer(ctx, r, "nestjs") }},
	{"moleculer", "Moleculer", func(l *lab, ctx context.Context, r *row) error { return l.startPeer(ctx, r, "moleculer") }},
}

// rows starts the named rows of starters, or all of them without names.
func (l *lab) rows(ctx context.Context, starters []starter, names []string) ([]*row, error) {
	for _, name := range names {
		if !slices.ContainsFunc(starters, func(s starter) bool { return s.id == name }) {
			return nil, fmt.Errorf("no row %q", name)
		}
	}
	var rows []*row
	for _, s := range starters {
		if len(names) > 0 && !slices.Contains(names, s.id) {
			continue
		}
		r := &row{name: s.name}
		if err := s.start(l, ctx, r); err != nil {
			return nil, fmt.Errorf("row %s: %w", s.name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// startClientRow starts the service of a program that contains a client and a service.
func startClientRow(program string, args ...string) func(*lab, context.Context, *row) error {
	return func(l *lab, _ context.Context, r *row) error {
		r.client, r.args = program, append(slices.Clone(args), "client")
		r.env = []string{"BROKER_URL=" + l.brokerURL(benchUser, "")}
		service, err := l.start(r.name+"-service", program, append(slices.Clone(args), "service"), r.env)
		r.services = []*process{service}
		return err
	}
}

// startSystem starts a gateway and the services that it needs. The gateways of one virtual host share
// benchService and access-control.
func (l *lab) startSystem(ctx context.Context, r *row, host string, env ...string) error {
	suffix := strconv.Itoa(len(l.processes))
	addr, err := system.FindAddr(ctx)
	if err != nil {
		return err
	}
	r.services, err = l.services(ctx, host, env)
	if err != nil {
		return err
	}
	r.gateway, err = l.startService(ctx, "gateway-"+suffix, "gateway", host, append([]string{
		"GATEWAY_ADDR=" + addr,
		"RPC_INSTANCE=" + suffix,
		"RPC_VERIFY_REPLIES=true", // as in production
	}, env...))
	if err != nil {
		return err
	}
	r.url = "http://" + addr + orderPath
	if r.tokens, err = l.logIn(ctx, "http://"+addr); err != nil {
		return err
	}
	r.response, err = get(ctx, r.url, r.tokens[0])
	return err
}

// services returns the services of a virtual host.
func (l *lab) services(ctx context.Context, host string, env []string) ([]*process, error) {
	var services []*process
	for _, program := range []string{benchService, "access-control"} {
		p, err := l.service(ctx, program, host, env)
		if err != nil {
			return nil, err
		}
		services = append(services, p)
	}
	return services, nil
}

// service returns a service of a virtual host, and starts it if it does not run.
func (l *lab) service(ctx context.Context, program, host string, env []string) (*process, error) {
	name := program + host
	if i := slices.IndexFunc(l.processes, func(p *process) bool { return p.name == name }); i >= 0 {
		return l.processes[i], nil
	}
	return l.startService(ctx, name, program, host, append([]string{
		"ACCESS_CONTROL_DATABASE=" + filepath.Join(l.folder, name+".db"),
		"ACCESS_CONTROL_KEYS=" + filepath.Join(l.folder, "keys"), // all accept the same tokens
		"ACCESS_CONTROL_TOKEN_LIFETIME=1h",
		"ACCESS_CONTROL_BCRYPT_COST=10",
		"DEMO_DATA=true",
	}, env...))
}

// startService starts a service and waits until it is ready. Program is also its broker user.
func (l *lab) startService(ctx context.Context, name, program, host string, env []string) (*process, error) {
	admin, err := system.FindAddr(ctx)
	if err != nil {
		return nil, err
	}
	env = append([]string{
		"BROKER_URL=" + l.brokerURL(program, host),
		"ADMIN_ADDR=" + admin,
		"RPC_IDENTITY_KEYS=" + filepath.Join(l.folder, "identity-keys"),
		collectorSetting,
	}, env...)
	if l.profiled != nil {
		if program, env, err = l.profile(ctx, program, env); err != nil {
			return nil, err
		}
	}
	p, err := l.start(name, program, nil, env)
	if err != nil {
		return nil, err
	}
	p.admin = admin
	return p, await(ctx, p, "http://"+admin+"/readyz", "")
}

func (l *lab) startArticle(ctx context.Context, r *row) error {
	broker := "BROKER_URL=" + l.brokerURL(benchUser, "")
	service, err := l.start("article-service", "article", []string{"service"}, []string{broker})
	if err != nil {
		return err
	}
	r.services = []*process{service}
	return l.startGateway(ctx, r, "article", []string{"gateway"}, broker)
}

func (l *lab) startHTTP(ctx context.Context, r *row) error {
	r.noBroker = true
	return l.startGateway(ctx, r, "http", nil)
}

// startGateway starts a program that serves HTTP without a token.
func (l *lab) startGateway(ctx context.Context, r *row, program string, args []string, env ...string) error {
	addr, err := system.FindAddr(ctx)
	if err != nil {
		return err
	}
	r.gateway, err = l.start(program, program, args, append(env, "ADDR="+addr))
	if err != nil {
		return err
	}
	r.url = "http://" + addr + orderPath
	if err := await(ctx, r.gateway, r.url, ""); err != nil {
		return err
	}
	r.response, err = get(ctx, r.url, "")
	return err
}
