package service

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"example.com/warren/pkg/messaging"
)

// Config holds the settings that all services share.
type Config struct {
	Broker          BrokerConfig  `embed:""`
	BrokerHeartbeat time.Duration `env:"BROKER_HEARTBEAT" default:"10s" help:"How often a silent connection to the broker is probed."`

	AdminAddr string `env:"ADMIN_ADDR" default:"${admin_addr}" help:"Address of /livez, /readyz and /metrics; empty turns them off."`
	LogLevel  string `env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat string `env:"LOG_FORMAT" default:"json" help:"json or text."`

	RPCTimeout            time.Duration       `env:"RPC_TIMEOUT" default:"5s" help:"How long a call waits for its reply."`
	RPCConcurrency        int                 `env:"RPC_CONCURRENCY" default:"64" help:"Requests that are handled at once, for each queue."`
	RPCPrefetch           int                 `env:"RPC_PREFETCH" default:"0" help:"Requests that the broker sends ahead, for each queue; 0: as many as RPC_CONCURRENCY."`
	RPCQueueType          messaging.QueueType `env:"RPC_QUEUE_TYPE" default:"classic" help:"classic or quorum (replicated); queues that exist keep theirs."`
	RPCCallbackQueueType  messaging.QueueType `env:"RPC_CALLBACK_QUEUE_TYPE" default:"classic" help:"The same for the queue that replies arrive on; in a cluster, a classic one is away with its node."`
	RPCPersistent         bool                `env:"RPC_PERSISTENT" default:"false" help:"Requests and replies survive a restart of the broker."`
	RPCDeliveryLimit      int                 `env:"RPC_DELIVERY_LIMIT" default:"5" help:"Deliveries of a request that ends its process each time, before it goes to the queue's dead-letter queue."`
	RPCMaxPending         int                 `env:"RPC_MAX_PENDING" default:"10000" help:"Calls that may wait for a reply."`
	RPCMaxPendingPerQueue int                 `env:"RPC_MAX_PENDING_PER_QUEUE" default:"2000" help:"Calls to one queue that may wait for a reply."`

	RPCVerifyReplies bool `env:"RPC_VERIFY_REPLIES" default:"false" help:"Accept a reply only from the broker's user that is named like the called service; needs one user per service."`

	StopTimeout time.Duration `env:"STOP_TIMEOUT" default:"20s" help:"How long an orderly stop may take."`
	StopDelay   time.Duration `env:"STOP_DELAY" default:"0s" help:"How long /readyz says no before the stop begins, for load balancers to notice."`
}

// Validate reports every setting that is out of range.
func (c *Config) Validate() error {
	return errors.Join(
		c.Broker.Validate(),
		checkRange("BROKER_HEARTBEAT", c.BrokerHeartbeat, time.Second, time.Hour),
		checkAddr("ADMIN_ADDR", c.AdminAddr),
		checkOneOf("LOG_LEVEL", c.LogLevel, "debug", "info", "warn", "error"),
		checkOneOf("LOG_FORMAT", c.LogFormat, "json", "text"),
		checkRange("RPC_TIMEOUT", c.RPCTimeout, time.Millisecond, 24*time.Hour),
		checkRange("RPC_CONCURRENCY", c.RPCConcurrency, 1, math.MaxUint16),
		checkRange("RPC_PREFETCH", c.RPCPrefetch, 0, math.MaxUint16),
		checkOneOf("RPC_QUEUE_TYPE", c.RPCQueueType, messaging.Classic, messaging.Quorum),
		checkOneOf("RPC_CALLBACK_QUEUE_TYPE", c.RPCCallbackQueueType, messaging.Classic, messaging.Quorum),
		checkRange("RPC_DELIVERY_LIMIT", c.RPCDeliveryLimit, 1, math.MaxInt32),
		checkRange("RPC_MAX_PENDING", c.RPCMaxPending, 1, math.MaxInt32),
		checkRange("RPC_MAX_PENDING_PER_QUEUE", c.RPCMaxPendingPerQueue, 1, math.MaxInt32),
		checkRange("STOP_TIMEOUT", c.StopTimeout, time.Millisecond, 24*time.Hour),
		checkRange("STOP_DELAY", c.StopDelay, 0, time.Hour),
	)
}

func checkAddr(name, addr string) error {
	if addr == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("%s must be host:port, is %q", name, addr)
	}
	return nil
}

func checkRange[T cmp.Ordered](name string, value, low, high T) error {
	if value < low || value > high {
		return fmt.Errorf("%s must be between %v and %v, is %v", name, low, high, value)
	}
	return nil
}

func checkOneOf[T ~string](name string, value T, allowed ...T) error {
	if !slices.Contains(allowed, value) {
		return fmt.Errorf("%s must be one of %v, is %q", name, allowed, value)
	}
	return nil
}

// errHelp: --help was asked for and has been printed.
var errHelp = errors.New("help printed")

// settings is all that kong fills in.
type settings struct {
	Own    any    `embed:"" group:"own"`
	Shared Config `embed:"" group:"shared"`
}

// Validate reports all that is wrong. Kong would stop at the first struct that has something.
func (s *settings) Validate() error {
	err := s.Shared.Validate()
	if own, ok := s.Own.(interface{ Validate() error }); ok {
		err = errors.Join(err, own.Validate())
	}
	return err
}

// parse fills in s.Config and returns the shared settings: flags before environment variables before defaults.
func parse(s Service, args []string, stdout io.Writer) (*Config, error) {
	if t := reflect.TypeOf(s.Config); t != nil && (t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct) {
		return nil, fmt.Errorf("the settings must be a pointer to a struct, not %s", t)
	}
	target := settings{Own: s.Config}
	helped := false
	parser, err := kong.New(&target,
		kong.Name(s.Name),
		kong.Description("Each setting is an environment variable and, overriding it, a flag."),
		kong.ExplicitGroups([]kong.Group{
			{Key: "own", Title: "Settings of " + s.Name + ":"},
			{Key: "shared", Title: "Settings of every service:"},
		}),
		kong.Vars{"admin_addr": s.AdminAddr},
		kong.ValueFormatter(formatHelp),
		kong.Writers(stdout, stdout),
		kong.Exit(func(int) { helped = true }),
	)
	if err != nil {
		return nil, fmt.Errorf("describe the settings: %w", err)
	}
	_, err = parser.Parse(args)
	if helped {
		return nil, errHelp
	}
	if err != nil {
		return nil, nameVariables(err, parser.Model.Flags)
	}
	return &target.Shared, nil
}

// formatHelp puts the environment variable first: it is how a service is configured.
func formatHelp(value *kong.Value) string {
	if len(value.Tag.Envs) == 0 {
		return value.Help
	}
	return value.Tag.Envs[0] + ": " + value.Help
}

var flagPattern = regexp.MustCompile(`--[a-z0-9-]+`)

// nameVariables puts the name of the environment variable before the flags in kong's text, which often names the flag
// alone.
func nameVariables(err error, flags []*kong.Flag) error {
	text := flagPattern.ReplaceAllStringFunc(err.Error(), func(name string) string {
		i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return "--"+f.Name == name && len(f.Envs) > 0 })
		if i < 0 {
			return name
		}
		return flags[i].Envs[0] + " (" + name + ")"
	})
	return errors.New(text)
}
