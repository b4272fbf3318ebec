package rabbitmqtest_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

type runner func() int

func (r runner) Run() int { return r() }

func TestTestsStartsANode(t *testing.T) {
	t.Setenv("AMQP_URL", "")
	dir := t.TempDir()
	var url string
	run := runner(func() int {
		conn, err := amqp.Dial(url)
		if err != nil {
			t.Error(err)
			return 1
		}
		_ = conn.Close()
		return 3
	})
	code := rabbitmqtest.Tests{M: run, URL: &url, Options: rabbitmqtest.Options{Dir: dir}}.Run()
	if got, want := code, 3; got != want {
		t.Errorf("exit code = %d, want %d", got, want)
	}
	assertNothingLeft(t, dir)
}

func TestTestsUsesTheEnvironment(t *testing.T) {
	const broker = "amqp://user:password@broker.example/"
	t.Setenv("AMQP_URL", broker)
	t.Setenv("RABBITMQ", "") // no broker is there to tell its version
	dir := t.TempDir()
	var url string
	run := runner(func() int {
		assertNothingLeft(t, dir) // nothing was started
		return 0
	})
	if code := (rabbitmqtest.Tests{M: run, URL: &url, Options: rabbitmqtest.Options{Dir: dir}}).Run(); code != 0 {
		t.Errorf("exit code = %d, want 0", code)
	}
	if url != broker {
		t.Errorf("URL = %q, want %q", url, broker)
	}
}

func TestTestsFailsWithoutABroker(t *testing.T) {
	t.Setenv("AMQP_URL", "")
	var url string
	run := runner(func() int {
		t.Error("tests were run")
		return 0
	})
	options := rabbitmqtest.Options{Dir: t.TempDir(), Definitions: "missing.json"}
	if code := (rabbitmqtest.Tests{M: run, URL: &url, Options: options}).Run(); code != 1 {
		t.Errorf("exit code = %d, want 1", code)
	}
}
