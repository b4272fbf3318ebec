package service

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/settings"
)

// Config holds the settings that every service has.
type Config struct {
	Broker          BrokerConfig  `embed:""`
	BrokerHeartbeat time.Duration `default:"10s" validate:"min=1s,max=1h" help:"How often an idle connection to the broker is probed. A dead peer is noticed within two heartbeats."`

	AdminAddr        string        `default:"${admin_addr}" validate:"omitempty,hostport" help:"Address of /livez, /readyz and /metrics; empty turns them off."`
	AdminProfiling   bool          `default:"false" help:"Serve Go profiles at /debug/pprof/ of ADMIN_ADDR. They show code and names, not data, and cost time while they are taken."`
	LogLevel         string        `default:"info" validate:"oneof=debug info warn error" help:"Least severe log entries that are written."`
	LogFormat        string        `default:"json" validate:"oneof=json text" help:"Format of log entries."`
	LogFlushInterval time.Duration `default:"100ms" validate:"min=0s,max=1m" help:"How long log entries wait to be written together, up to 64 KiB; warnings and errors do not wait. A process that is killed loses those that wait. 0s: each is written at once."`

	RPCTimeout            time.Duration       `default:"5s" validate:"min=1ms,max=24h" help:"How long a call waits for its reply."`
	RPCConcurrency        int                 `default:"64" validate:"min=1,max=65535" help:"Requests that are handled at once, for each queue."`
	RPCPrefetch           int                 `default:"0" validate:"min=0,max=65535" help:"Requests that the broker sends ahead, for each queue; 0: as many as RPC_CONCURRENCY."`
	RPCQueueType          messaging.QueueType `default:"classic" validate:"oneof=classic quorum" help:"Type of the request queues; quorum queues are replicated. A queue that exists keeps its type."`
	RPCCallbackQueueType  messaging.QueueType `default:"classic" validate:"oneof=classic quorum" help:"Type of the callback queue, on which replies arrive. In a cluster, a classic queue is unavailable while its node is down."`
	RPCInstance           string              `help:"Name of this process among several that run the service and make calls; its callback queue ends with it. hostname: the name of this host, as in the images. Empty: no other process makes calls."`
	RPCPersistent         bool                `default:"false" help:"Requests and replies survive a restart of the broker."`
	RPCDeliveryLimit      int                 `default:"5" validate:"min=1,max=2147483647" help:"How often a request is delivered before it goes to the dead-letter queue. Each delivery after the first means that the process handling it died."`
	RPCMaxPending         int                 `default:"10000" validate:"min=1,max=2147483647" help:"Limit of calls that wait for a reply."`
	RPCMaxPendingPerQueue int                 `default:"2000" validate:"min=1,max=2147483647" help:"The same, for one queue."`

	RPCVerifyReplies bool `default:"false" help:"Accept a reply only from the broker's user that is named like the called service; needs one user per service."`

	RPCIdentityKeys   string        `default:"identity-keys" help:"Directory of the public keys that verify the callers' identities in requests; empty: identities are not verified."`
	RPCIdentityLeeway time.Duration `default:"30s" validate:"min=0s" help:"How long an identity counts after it has expired. More lets dead-lettered requests be replayed later."`

	StopTimeout time.Duration `default:"20s" validate:"min=1ms,max=24h" help:"Limit of a graceful shutdown."`
	StopDelay   time.Duration `default:"0s" validate:"min=0s,max=1h" help:"How long /readyz answers 503 before the shutdown begins, so that load balancers notice."`
}

// Validate reports unusable settings, and relations between settings that cannot hold.
func (c *Config) Validate() error {
	_, err := c.instance()
	return errors.Join(c.Broker.Validate(), err)
}

var instancePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// instance returns the suffix of the callback queue's name, which may be empty. It rejects the suffixes of locks and of
// dead-letter queues, because those queues belong to other instances.
func (c *Config) instance() (name string, err error) {
	name = c.RPCInstance
	if name == "hostname" {
		if name, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("RPC_INSTANCE: %w", err)
		}
	}
	suffix := name[strings.LastIndexByte(name, '.')+1:]
	if name != "" && !instancePattern.MatchString(name) || suffix == "consumer-lock" || suffix == "dead" {
		return "", fmt.Errorf(`RPC_INSTANCE must be up to 100 letters, digits, ".", "_" or "-", not ending in dead or consumer-lock, is %q`, name)
	}
	return name, nil
}

// confirmsSends reports whether the broker is to confirm messages. Without confirms, quorum queues lose messages that they
// refuse, and classic queues lose persistent messages if RabbitMQ is killed before it has written them, within a second.
func (c *Config) confirmsSends() bool {
	return c.RPCPersistent || c.RPCQueueType == messaging.Quorum || c.RPCCallbackQueueType == messaging.Quorum
}

// Settings returns the settings of s in the order of --help: its own, then those of Config.
func Settings(s Service) ([]settings.Setting, error) { return program(s, new(Config)).List() }

// parse sets the fields of s.Config and returns the shared settings.
func parse(s Service, args []string, stdout io.Writer) (*Config, error) {
	shared := new(Config)
	return shared, program(s, shared).Parse(args, stdout)
}

func program(s Service, shared *Config) settings.Program {
	return settings.Program{
		Name:    s.Name,
		Version: ReadBuild().String(),
		Own:     s.Config,
		Shared:  shared,
		Vars:    map[string]string{"admin_addr": s.AdminAddr},
	}
}
