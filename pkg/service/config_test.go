package service

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
)

var update = flag.Bool("update", false, "write the golden files")

type ordersConfig struct {
	Database string `default:"orders.db" validate:"required" help:"SQLite file."`
	Mode     string `default:"safe" validate:"oneof=fast safe" help:"fast or safe."`
	DemoData bool   `name:"demo-data" help:"Fills the database with demo data."`
	PageSize int    `default:"20" validate:"min=1" help:"Orders of a page."`
}

func (c *ordersConfig) Validate() error {
	if c.Mode == "fast" && c.PageSize > 100 {
		return errors.New("ORDERS_PAGE_SIZE must be at most 100 if ORDERS_MODE is fast")
	}
	return nil
}

func ordersService(config any) Service {
	return Service{Name: "orders", AdminAddr: "127.0.0.1:9091", Config: config}
}

func defaults() Config {
	return Config{
		Broker:                BrokerConfig{URLs: []string{"amqp://guest:guest@127.0.0.1:5672/"}},
		BrokerHeartbeat:       10 * time.Second,
		AdminAddr:             "127.0.0.1:9091",
		LogLevel:              "info",
		LogFormat:             "json",
		LogFlushInterval:      100 * time.Millisecond,
		RPCTimeout:            5 * time.Second,
		RPCConcurrency:        64,
		RPCQueueType:          "classic",
		RPCCallbackQueueType:  "classic",
		RPCDeliveryLimit:      5,
		RPCMaxPending:         10000,
		RPCMaxPendingPerQueue: 2000,
		RPCIdentityKeys:       "identity-keys",
		RPCIdentityLeeway:     30 * time.Second,
		StopTimeout:           20 * time.Second,
	}
}

func TestParse(t *testing.T) {
	ownDefaults := ordersConfig{Database: "orders.db", Mode: "safe", PageSize: 20}
	tests := map[string]struct {
		env  map[string]string
		args []string
		want func(*Config, *ordersConfig) // changes the defaults
	}{
		"defaults": {},
		"environment": {
			env: map[string]string{
				"RPC_TIMEOUT": "250ms", "RPC_PERSISTENT": "true", "LOG_LEVEL": "debug", "ORDERS_DATABASE": "/data/o.db", "DEMO_DATA": "true",
			},
			want: func(c *Config, own *ordersConfig) {
				c.RPCTimeout, c.RPCPersistent, c.LogLevel = 250*time.Millisecond, true, "debug"
				own.Database, own.DemoData = "/data/o.db", true
			},
		},
		"flags override": {
			env:  map[string]string{"RPC_TIMEOUT": "1s", "DEMO_DATA": "true", "ORDERS_DATABASE": "a"},
			args: []string{"--rpc-timeout=2s", "--demo-data=false", "--orders-database", "b"},
			want: func(c *Config, own *ordersConfig) {
				c.RPCTimeout = 2 * time.Second
				own.Database = "b"
			},
		},
		"cluster": {
			env: map[string]string{"BROKER_URL": "amqp://a:5672/,amqps://u:p@b:5671/orders"},
			want: func(c *Config, _ *ordersConfig) {
				c.Broker.URLs = []string{"amqp://a:5672/", "amqps://u:p@b:5671/orders"}
			},
		},
		"TLS": {
			env: map[string]string{
				"BROKER_URL": "amqps://a/", "BROKER_CA": "ca.pem", "BROKER_SERVER_NAME": "broker.example",
				"BROKER_CERTIFICATE": "orders.pem", "BROKER_KEY": "orders.key",
			},
			want: func(c *Config, _ *ordersConfig) {
				c.Broker = BrokerConfig{
					URLs: []string{"amqps://a/"}, CA: "ca.pem", ServerName: "broker.example",
					Certificate: "orders.pem", Key: "orders.key",
				}
			},
		},
		"admin listener off": {
			env:  map[string]string{"ADMIN_ADDR": ""},
			want: func(c *Config, _ *ordersConfig) { c.AdminAddr = "" },
		},
		"everything": {
			args: []string{
				"--broker-heartbeat=5s", "--admin-addr=:9000", "--log-format=text", "--rpc-concurrency=1", "--rpc-prefetch=10",
				"--rpc-queue-type=quorum", "--rpc-callback-queue-type=quorum", "--rpc-persistent", "--rpc-verify-replies",
				"--rpc-instance=a", "--rpc-delivery-limit=3", "--rpc-max-pending=7",
				"--rpc-max-pending-per-queue=6", "--rpc-identity-keys=", "--rpc-identity-leeway=1m",
				"--stop-timeout=1s", "--stop-delay=2s", "--orders-mode=fast",
			},
			want: func(c *Config, own *ordersConfig) {
				*c = Config{
					Broker: c.Broker, BrokerHeartbeat: 5 * time.Second, AdminAddr: ":9000", LogLevel: "info",
					LogFormat: "text", LogFlushInterval: c.LogFlushInterval, RPCTimeout: c.RPCTimeout, RPCConcurrency: 1, RPCPrefetch: 10,
					RPCQueueType: "quorum", RPCCallbackQueueType: "quorum", RPCInstance: "a",
					RPCPersistent: true, RPCDeliveryLimit: 3, RPCMaxPending: 7, RPCMaxPendingPerQueue: 6, RPCVerifyReplies: true,
					RPCIdentityLeeway: time.Minute,
					StopTimeout:       time.Second, StopDelay: 2 * time.Second,
				}
				own.Mode = "fast"
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			want, wantOwn := defaults(), ownDefaults
			if test.want != nil {
				test.want(&want, &wantOwn)
			}
			own := ordersConfig{}
			got, err := parse(ordersService(&own), test.args, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("shared settings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantOwn, own); diff != "" {
				t.Errorf("own settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseWithoutOwnSettings(t *testing.T) {
	got, err := parse(ordersService(nil), nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults(), *got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]struct {
		env  map[string]string
		args []string
		want []string // parts of the error
	}{
		"not a duration": {
			env:  map[string]string{"RPC_TIMEOUT": "5"},
			want: []string{"RPC_TIMEOUT (--rpc-timeout)", "missing unit", `"5"`},
		},
		"not a number": {env: map[string]string{"RPC_CONCURRENCY": "many"}, want: []string{"RPC_CONCURRENCY", `"many"`}},
		"not a bool":   {env: map[string]string{"RPC_PERSISTENT": "often"}, want: []string{"RPC_PERSISTENT", `"often"`}},
		"flag":         {args: []string{"--stop-timeout=soon"}, want: []string{"STOP_TIMEOUT (--stop-timeout)", `"soon"`}},
		"own":          {env: map[string]string{"ORDERS_PAGE_SIZE": "x"}, want: []string{"ORDERS_PAGE_SIZE", `"x"`}},
		"own enum":     {env: map[string]string{"ORDERS_MODE": "x"}, want: []string{"ORDERS_MODE", "fast", "safe", `"x"`}},
		"own range":    {env: map[string]string{"ORDERS_PAGE_SIZE": "0"}, want: []string{"ORDERS_PAGE_SIZE must be at least 1, is 0"}},
		"own empty":    {env: map[string]string{"ORDERS_DATABASE": ""}, want: []string{"ORDERS_DATABASE must be set"}},
		"own relation": {
			args: []string{"--orders-mode=fast", "--orders-page-size=101"}, want: []string{"ORDERS_PAGE_SIZE must be at most 100 if"},
		},
		"heartbeat":         {env: map[string]string{"BROKER_HEARTBEAT": "10ms"}, want: []string{"BROKER_HEARTBEAT", "1s", "10ms"}},
		"admin address":     {env: map[string]string{"ADMIN_ADDR": "9090"}, want: []string{"ADMIN_ADDR", "host:port", `"9090"`}},
		"log level":         {env: map[string]string{"LOG_LEVEL": "loud"}, want: []string{"LOG_LEVEL", "debug, info, warn or error", `"loud"`}},
		"log format":        {env: map[string]string{"LOG_FORMAT": "xml"}, want: []string{"LOG_FORMAT", "json or text", `"xml"`}},
		"timeout":           {env: map[string]string{"RPC_TIMEOUT": "0s"}, want: []string{"RPC_TIMEOUT", "0s"}},
		"concurrency":       {env: map[string]string{"RPC_CONCURRENCY": "0"}, want: []string{"RPC_CONCURRENCY", "is 0"}},
		"prefetch":          {env: map[string]string{"RPC_PREFETCH": "65536"}, want: []string{"RPC_PREFETCH", "65535", "65536"}},
		"queue type":        {env: map[string]string{"RPC_QUEUE_TYPE": "stream"}, want: []string{"RPC_QUEUE_TYPE", "classic or quorum"}},
		"delivery limit":    {env: map[string]string{"RPC_DELIVERY_LIMIT": "0"}, want: []string{"RPC_DELIVERY_LIMIT", "is 0"}},
		"pending":           {env: map[string]string{"RPC_MAX_PENDING": "-1"}, want: []string{"RPC_MAX_PENDING ", "is -1"}},
		"pending per queue": {env: map[string]string{"RPC_MAX_PENDING_PER_QUEUE": "0"}, want: []string{"RPC_MAX_PENDING_PER_QUEUE"}},
		"stop timeout":      {env: map[string]string{"STOP_TIMEOUT": "0s"}, want: []string{"STOP_TIMEOUT", "is 0s"}},
		"stop delay":        {env: map[string]string{"STOP_DELAY": "-1s"}, want: []string{"STOP_DELAY", "is -1s"}},
		"instance":          {env: map[string]string{"RPC_INSTANCE": "a b"}, want: []string{"RPC_INSTANCE must be", `is "a b"`}},
		"instance's length": {env: map[string]string{"RPC_INSTANCE": strings.Repeat("a", 101)}, want: []string{"RPC_INSTANCE"}},
		"name of a lock":    {env: map[string]string{"RPC_INSTANCE": "consumer-lock"}, want: []string{"RPC_INSTANCE"}},
		"another's lock":    {env: map[string]string{"RPC_INSTANCE": "a.consumer-lock"}, want: []string{"RPC_INSTANCE"}},
		"dead letters":      {env: map[string]string{"RPC_INSTANCE": "a.dead"}, want: []string{"RPC_INSTANCE"}},
		"several":           {args: []string{"--log-format=xml", "--stop-delay=2h"}, want: []string{"LOG_FORMAT", "STOP_DELAY"}},
		"own and shared":    {args: []string{"--orders-page-size=0", "--log-format=xml"}, want: []string{"ORDERS_PAGE_SIZE", "LOG_FORMAT"}},
		"no broker":         {env: map[string]string{"BROKER_URL": ""}, want: []string{"BROKER_URL"}},
		"broker scheme": {
			env:  map[string]string{"BROKER_URL": "amqp://a/,http://u:secret@b/"},
			want: []string{"BROKER_URL: URL 2 of 2", "amqp://user:password@host:5672/vhost"},
		},
		"broker URL": {env: map[string]string{"BROKER_URL": "amqp://u:secret@host:port/"}, want: []string{"BROKER_URL: URL 1 of 1"}},
		"half a client certificate": {
			env:  map[string]string{"BROKER_URL": "amqps://a/", "BROKER_CERTIFICATE": "orders.pem"},
			want: []string{"BROKER_CERTIFICATE and BROKER_KEY must be set together"},
		},
		"CA without TLS": {
			env:  map[string]string{"BROKER_URL": "amqps://a/,amqp://u:secret@b/", "BROKER_CA": "ca.pem"},
			want: []string{"BROKER_URL: URL 2 of 2 is amqp://", "plain text", "use amqps://"},
		},
		"client certificate without TLS": {
			args: []string{"--broker-certificate=c.pem", "--broker-key=c.key"}, want: []string{"BROKER_URL: URL 1 of 1 is amqp://"},
		},
		"server name without TLS": {args: []string{"--broker-server-name=b"}, want: []string{"BROKER_URL: URL 1 of 1 is amqp://"}},
		"argument":                {args: []string{"serve"}, want: []string{"unexpected argument serve"}},
		"unknown flag":            {args: []string{"--colour=red"}, want: []string{"unknown flag --colour"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			_, err := parse(ordersService(&ordersConfig{}), test.args, io.Discard)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q shows a password", err)
			}
		})
	}
}

func TestParseRejectsUnusableConfigs(t *testing.T) {
	for name, config := range map[string]any{
		"a struct": ordersConfig{},
		"a number": new(int),
		"a flag twice": &struct {
			Timeout time.Duration `name:"rpc-timeout"`
		}{},
		"an unknown field": &struct{ Events chan int }{},
	} {
		if _, err := parse(ordersService(config), nil, io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestConfirmsSends checks that messages that must not be lost with a node are confirmed.
func TestConfirmsSends(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   bool
	}{
		"default":               {func(*Config) {}, false},
		"persistent":            {func(c *Config) { c.RPCPersistent = true }, true},
		"quorum queues":         {func(c *Config) { c.RPCQueueType = messaging.Quorum }, true},
		"quorum callback queue": {func(c *Config) { c.RPCCallbackQueueType = messaging.Quorum }, true},
	} {
		c := defaults()
		test.change(&c)
		if got := c.confirmsSends(); got != test.want {
			t.Errorf("%s: confirmed: %t, want %t", name, got, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	t.Setenv("RPC_TIMEOUT", "nonsense") // must not hide the help
	var stdout, stderr bytes.Buffer
	o := newOptions([]Option{WithOutput(&stdout, &stderr)})
	if status := exitStatus(context.Background(), ordersService(&ordersConfig{}), []string{"--help"}, o); status != 0 {
		t.Errorf("status %d", status)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: %s", &stderr)
	}
	const golden = "testdata/help.golden"
	if *update {
		if err := os.WriteFile(golden, stdout.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
		t.Errorf("help (-want +got):\n%s", diff)
	}
}

func TestRunReturnsAfterHelp(t *testing.T) {
	var stdout bytes.Buffer
	if err := Run(t.Context(), ordersService(nil), []string{"--help"}, WithOutput(&stdout, io.Discard)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout.String(), "BROKER_URL") {
		t.Errorf("help: %s", &stdout)
	}
}

func TestUsageErrorIsPlainText(t *testing.T) {
	var stdout, stderr bytes.Buffer
	o := newOptions([]Option{WithOutput(&stdout, &stderr)})
	status := exitStatus(context.Background(), ordersService(nil), []string{"--log-format=xml", "--stop-delay=2h"}, o)
	if status != exitUsage {
		t.Errorf("status %d", status)
	}
	want := `orders: LOG_FORMAT must be json or text, is "xml"` + "\n" +
		`orders: STOP_DELAY must be between 0s and 1h, is 2h0m0s` + "\n"
	if diff := cmp.Diff(want, stderr.String()); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}
