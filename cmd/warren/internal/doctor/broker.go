package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
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
	// stepTimeout bounds what is asked of a broker at a time. A broker with an alarm reads nothing.
	stepTimeout = 20 * time.Second
	// maxSkew is how far clocks may differ. A request carries its deadline as a time, a few seconds ahead.
	maxSkew = time.Second
)

func (m machine) checkBroker(ctx context.Context) []finding {
	const subject = "broker"
	if m.broker == nil {
		return one(unchecked, subject, "BROKER_URL is not set")
	}
	connecting, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	i, err := m.inspect(connecting, *m.broker)
	if err != nil {
		return one(fail, subject, "%v: start it, or correct BROKER_URL", broker.OneLine(err))
	}
	defer i.Close()
	found := checkVersion(i)
	for _, check := range []func(context.Context, inspector) []finding{m.checkAccess, m.checkUsers, m.checkQueues} {
		limited, cancel := context.WithTimeout(ctx, stepTimeout)
		found = append(found, check(limited, i)...)
		cancel()
	}
	return found
}

func checkVersion(i inspector) []finding {
	if semver.Compare("v"+i.Version(), "v"+oldestRabbitMQ) < 0 {
		return one(fail, "broker", "RabbitMQ %s: %s or newer is needed", i.Version(), oldestRabbitMQ)
	}
	return one(ok, "broker", "RabbitMQ %s", i.Version())
}

// probe returns the name of a queue of a service, or of a broker user, that no one uses.
func probe(owner string) string { return owner + ".doctor-" + rand.Text() }

// checkAccess checks what the user of BROKER_URL may do, and the clock.
func (m machine) checkAccess(ctx context.Context, i inspector) []finding {
	before := m.now()
	clock, err := i.RoundTrip(ctx, probe(i.User()))
	after := m.now()
	switch {
	case errors.Is(err, rabbitmq.ErrAccessRefused):
		return one(fail, "user", "%v: grant it with rabbitmqctl set_permissions", err)
	case err != nil:
		return one(fail, "user", "no message came back to %s: %v", i.User(), err)
	}
	found := one(ok, "user", "%s may declare, publish and consume", i.User())
	// The broker's clock was between clock and a second later when m's was between before and after.
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
func (m machine) checkUsers(ctx context.Context, _ inspector) []finding {
	if m.checkout == nil {
		return one(unchecked, "users", "run warren doctor in a checkout to check the services' users and queues")
	}
	found, unknown := make([]finding, len(m.services)), true
	var checks sync.WaitGroup
	for n, s := range m.services {
		checks.Go(func() { found[n] = m.checkUser(ctx, s) })
	}
	checks.Wait()
	for _, f := range found {
		unknown = unknown && f == unknownUser
	}
	if unknown {
		return one(unchecked, "users", "the broker refuses the passwords in deployments/ of all services: it has other users")
	}
	for n, s := range m.services {
		if found[n] == unknownUser {
			found[n] = finding{fail, "users", fmt.Sprintf("%s: the broker refuses the password in deployments/: import the definitions", s.Name)}
		}
	}
	return found
}

var unknownUser = finding{}

// checkUser returns unknownUser if no file has the password of the service's user.
func (m machine) checkUser(ctx context.Context, s service.Service) finding {
	i, file, err := m.logIn(ctx, s.Name)
	switch {
	case err != nil:
		return finding{fail, "users", fmt.Sprintf("log in as %s: %v", s.Name, broker.OneLine(err))}
	case i == nil:
		return unknownUser
	}
	defer i.Close()
	_, err = i.RoundTrip(ctx, probe(s.Name))
	for _, callee := range s.Calls {
		err = cmp.Or(err, i.MayDeclare(ctx, probe(callee)))
	}
	if err != nil {
		return finding{fail, "users", fmt.Sprintf("%s: %v: run make generate, and import the definitions", s.Name, err)}
	}
	return finding{ok, "users", fmt.Sprintf("%s may do what it needs, with the password in %s", s.Name, file)}
}

// logIn connects as a service, with the password of a file. It returns nil if no file has the right one.
func (m machine) logIn(ctx context.Context, name string) (i inspector, file string, err error) {
	for _, folder := range []string{"deployments/secrets/urls/", "deployments/rabbitmq/urls/"} {
		text, err := fs.ReadFile(m.checkout, folder+name)
		if err != nil {
			continue
		}
		theirs, err := url.Parse(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, "", fmt.Errorf("%s%s is no URL", folder, name) // err has the password
		}
		options := *m.broker
		options.URLs = nil
		for _, raw := range m.broker.URLs {
			u, err := url.Parse(raw)
			if err != nil {
				return nil, "", errors.New("BROKER_URL is no URL")
			}
			u.User = theirs.User
			options.URLs = append(options.URLs, u.String())
		}
		if i, err = m.inspect(ctx, options); !errors.Is(err, rabbitmq.ErrAccessRefused) {
			return i, folder + name, err
		}
	}
	return nil, "", nil
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
	if len(found) == 0 && m.checkout != nil {
		return one(ok, subject, "those that exist are as RPC_QUEUE_TYPE and RPC_CALLBACK_QUEUE_TYPE say")
	}
	return found
}

func (m machine) queues() (queues []messaging.Queue) {
	if m.checkout == nil {
		return nil
	}
	for _, name := range source.Queues(m.checkout) {
		for _, name := range []string{name, name + ".dead"} {
			queues = append(queues, messaging.Queue{Name: name, Durable: true, Type: messaging.QueueType(m.value("RPC_QUEUE_TYPE"))})
		}
	}
	for _, s := range m.services {
		if len(s.Calls) > 0 && m.value("RPC_INSTANCE") == "" {
			t := messaging.QueueType(m.value("RPC_CALLBACK_QUEUE_TYPE"))
			queues = append(queues, messaging.Queue{Name: s.Name + ".rpc.response", Durable: true, Type: t})
		}
	}
	return queues
}
