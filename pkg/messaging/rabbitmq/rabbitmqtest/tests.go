package rabbitmqtest

import (
	"context"
	"fmt"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Tests runs a package's tests with one broker that they share: the one that AMQP_URL names, or a private node. The node
// is gone before Run returns, so that a check for leaked goroutines after the tests does not see it.
//
//	var brokerURL string
//
//	func TestMain(m *testing.M) {
//		goleak.VerifyTestMain(rabbitmqtest.Tests{M: m, URL: &brokerURL})
//	}
type Tests struct {
	M       interface{ Run() int } // the testing.M
	URL     *string                // set before the first test
	Options Options                // of the private node
}

// Run returns the exit code of the tests, or 1 if there is no broker.
func (t Tests) Run() (code int) {
	url, release, err := findOrStart(context.Background(), t.Options)
	if err != nil {
		fmt.Fprintf(os.Stderr, "tests need a broker: %v\n", err)
		return 1
	}
	defer func() {
		if err := release(); err != nil {
			fmt.Fprintf(os.Stderr, "close the broker of the tests: %v\n", err)
			code = max(code, 1)
		}
	}()
	*t.URL = url
	return t.M.Run()
}

// findOrStart returns the broker that AMQP_URL names, or else starts a private node. Call release in both cases.
func findOrStart(ctx context.Context, options Options) (url string, release func() error, err error) {
	if url := os.Getenv("AMQP_URL"); url != "" {
		return url, func() error { return nil }, checkBroker(url)
	}
	node, err := Start(ctx, options)
	if err != nil {
		return "", nil, err
	}
	return node.URL(), node.Close, nil
}

// checkBroker returns an error unless the broker at url is of the version that RABBITMQ names. Without RABBITMQ, tests fail if
// the broker is not there.
func checkBroker(url string) error {
	if os.Getenv(versionVariable) == "" {
		return nil
	}
	conn, err := amqp.Dial(url)
	if err != nil {
		return fmt.Errorf("dial the broker of AMQP_URL: %w", err)
	}
	defer func() { _ = conn.Close() }()
	version, _ := conn.Properties["version"].(string)
	return checkVersion(version)
}
