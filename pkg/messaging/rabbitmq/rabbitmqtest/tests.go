package rabbitmqtest

import (
	"context"
	"fmt"
	"os"
)

// Tests runs a package's tests with one broker for all of them: AMQP_URL's, or a private node that is gone before Run
// returns, so that a check for leaks after the tests doesn't see it.
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

// Run returns the tests' exit code, or 1 if there is no broker: tests that need one fail without it.
func (t Tests) Run() (code int) {
	url, release, err := FindOrStart(context.Background(), t.Options)
	if err != nil {
		fmt.Fprintf(os.Stderr, "tests need a broker: %v\n", err)
		return 1
	}
	defer func() {
		if err := release(); err != nil {
			fmt.Fprintf(os.Stderr, "stop the tests' broker: %v\n", err)
			code = max(code, 1)
		}
	}()
	*t.URL = url
	return t.M.Run()
}
