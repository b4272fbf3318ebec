package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/semver"

	"example.com/warren/cmd/warren/internal/broker"
	"example.com/warren/cmd/warren/internal/source"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/service"
)

const (
	oldestRabbitMQ = "3.10"
	// brokerTimeout bounds all that is asked of a broker. A broker with an alarm reads nothing.
	brokerTimeout = 30 * time.Second
	// maxSkew is how far clocks may differ. A request carries its deadline as a time, a few seconds ahead.
	maxSkew = time.Second
)

func (m machine) checkBroker(ctx context.Context) []finding {
	const subject = "broker"
	if m.broker == nil {
		return one(unchecked, subject, "BROKER_URL is not set")
	}
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	i, err := m.inspect(ctx, *m.broker)
	if err != nil {
		return one(fail, subject, "%v: start it, or correct BROKER_URL", broker.OneLine(err))
	}
	defer i.Close()
	found := one(ok, subject, "RabbitMQ %s", i.Version())
	if semver.Compare("v"+i.Version(), "v"+oldestRabbitMQ) < 0 {
		found = one(fail, subject, "RabbitMQ %s: %s or newer is needed", i.Version(), oldestRabbitMQ)
	}
	return slices.Concat(found, checkAccess(ctx, i), m.checkUsers(ctx), m.checkQueues(ctx, i))
}

// probe returns the name of a queue of a service, or of a broker user, that no one uses.
func probe(owner string) string { return owner + ".doctor-" + rand.Text() }

// checkAccess checks what the user of BROKER_URL may do, and the clock.
func checkAccess(ctx context.Context, i inspector) []finding {
	before := time.Now()
	clock, err := i.RoundTrip(ctx, probe(i.User()))
	after := time.Now()
	switch {
	case errors.Is(err, rabbitmq.ErrAccessRefused):
		return one(fail, "user", "%v: grant it with rabbitmqctl set_permissions", err)
	case err != nil:
		return one(fail, "user", "no message came back to %s: %v", i.User(), err)
	}
	found := one(ok, "user", "%s may declare, publish and consume", i.User())
	// The broker's clock was between clock and a second later when this machine's was between before and after.
	skew := max(clock.Sub(after), before.Sub(clock.Add(time.Second)))
	switch {
	case clock.IsZero():
		return append(found, finding{unchecked, "clock", "the broker did not tell the time"})
	case skew > maxSkew:
		return append(found, finding{warn, "clock", fmt.Sprintf("%s or more away from the broker's: synchronise both: requests carry deadlines",
			skew.Round(time.Second))})
	}
	return append(found, finding{ok, "clock", "agrees with the broker's to a second or two"})
}

// checkUsers checks the users of all services at once: RabbitMQ takes seconds to refuse a password.
func (m machine) checkUsers(ctx context.Context) []finding {
	found := make([]finding, len(m.services))
	var checks sync.WaitGroup
	for n, s := range m.services {
		checks.Go(func() { found[n] = m.checkUser(ctx, s) })
	}
	checks.Wait()
	return found
}

func (m machine) checkUser(ctx context.Context, s service.Service) finding {
	const subject = "users"
	i, file, err := m.logIn(ctx, s.Name)
	switch {
	case errors.Is(err, rabbitmq.ErrAccessRefused):
		return finding{warn, subject, s.Name + ": the broker refuses the password in deployments/: import the definitions, " +
			"unless the services have other users there"}
	case err != nil:
		return finding{fail, subject, fmt.Sprintf("log in as %s: %v", s.Name, broker.OneLine(err))}
	}
	defer i.Close()
	var callees []string
	for _, callee := range s.Calls {
		callees = append(callees, probe(callee))
	}
	if _, err = i.RoundTrip(ctx, probe(s.Name), callees...); err != nil {
		return finding{fail, subject, fmt.Sprintf("%s: %v: run make generate, and import the definitions", s.Name, err)}
	}
	return finding{ok, subject, fmt.Sprintf("%s may do what it needs, with the password in %s", s.Name, file)}
}

// logIn connects as a service, with the password of the first file that has the right one.
func (m machine) logIn(ctx context.Context, name string) (i inspector, file string, err error) {
	for _, folder := range []string{"deployments/secrets/urls/", "deployments/rabbitmq/urls/"} {
		file = folder + name
		text, readErr := fs.ReadFile(m.checkout, file)
		if readErr != nil {
			err = cmp.Or(err, readErr)
			continue
		}
		theirs, parseErr := url.Parse(strings.TrimSpace(string(text)))
		if parseErr != nil {
			return nil, "", fmt.Errorf("%s is no URL", file) // parseErr has the password
		}
		options := *m.broker
		options.URLs = slices.Clone(options.URLs)
		for n, raw := range options.URLs {
			if u, err := url.Parse(raw); err == nil {
				u.User = theirs.User
				options.URLs[n] = u.String()
			}
		}
		if i, err = m.inspect(ctx, options); !errors.Is(err, rabbitmq.ErrAccessRefused) {
			break
		}
	}
	return i, file, err
}

// checkQueues compares the queues that exist with those that the services would declare. A service uses what it finds.
func (m machine) checkQueues(ctx context.Context, i inspector) []finding {
	const subject = "queues"
	var found []finding
	for _, q := range m.queues() {
		difference, err := i.Difference(ctx, q)
		switch {
		case errors.Is(err, rabbitmq.ErrAccessRefused):
			return append(found, finding{unchecked, subject, fmt.Sprintf("%s may not look at all of them", i.User())})
		case err != nil:
			return append(found, finding{fail, subject, fmt.Sprintf("look at %s: %v", q.Name, err)})
		case difference != "":
			found = append(found, finding{warn, subject, fmt.Sprintf("%s: %s: services use it as it is: delete it while they are stopped",
				q.Name, difference)})
		}
	}
	if len(found) == 0 {
		return one(ok, subject, "those that exist are as RPC_QUEUE_TYPE and RPC_CALLBACK_QUEUE_TYPE say")
	}
	return found
}

func (m machine) queues() (queues []messaging.Queue) {
	for _, name := range source.Queues(m.checkout) {
		for _, name := range []string{name, name + ".dead"} {
			queues = append(queues, messaging.Queue{Name: name, Durable: true, Type: messaging.QueueType(m.value("RPC_QUEUE_TYPE"))})
		}
	}
	for _, s := range m.services {
		t := messaging.QueueType(m.value("RPC_CALLBACK_QUEUE_TYPE"))
		queues = append(queues, messaging.Queue{Name: s.Name + ".rpc.response", Durable: true, Type: t})
	}
	return queues
}
