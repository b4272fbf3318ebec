package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// limit is the RPC_TIMEOUT of a gateway under load. Each call must end within it.
const limit = 2 * time.Second

// grace returns how long HTTP may take in addition to limit. The short tests allow for a busy machine.
func grace() time.Duration { return size(8*time.Second, time.Second) }

// limitSetting sets limit in the environment of gateways.
var limitSetting = "RPC_TIMEOUT=" + limit.String()

// patientSetting is limitSetting for tests in which no call may fail. A busy machine can delay a call of the short tests beyond
// limit.
func patientSetting() string { return "RPC_TIMEOUT=" + size(limit+grace()*3/4, limit).String() }

// load is a steady stream of numbered calls. A call begins when it is due, whether or not earlier calls have ended, as calls
// of independent users do. Every second call creates an order, with its number in the Idempotency-Key and in the order's
// content. The others read an order that was created before.
type load struct {
	users   []system.API // one for each gateway, used in turns
	prefix  string       // of keys and names, since other loads have the same numbers
	stop    context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	sent     int
	inFlight map[int]time.Time // beginnings of the calls that have not ended
	ended    []call
	orders   map[int]string // IDs of the created orders by the number of their call
	numbers  []int          // keys of orders, to choose from
	outages  []outage
}

// startLoad starts the stream for logged-in users. Users without a client share one with keep-alive connections. Call finish
// to end the stream.
func startLoad(t *testing.T, users ...system.API) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &load{
		prefix:   uuid.NewString()[:8],
		stop:     stop,
		inFlight: map[int]time.Time{},
		orders:   map[int]string{},
	}
	// The transport resends a call whose keep-alive connection the gateway closed before it read anything, as HTTP allows
	// (RFC 9110, section 9.2.2).
	transport := &http.Transport{MaxIdleConnsPerHost: 1000}
	for _, user := range users {
		if user.Client == nil {
			user.Client = &http.Client{Transport: transport}
		}
		l.users = append(l.users, user)
	}
	t.Cleanup(func() {
		stop()
		l.running.Wait()
		transport.CloseIdleConnections()
	})
	l.create(t.Context(), 0)
	if l.orders[0] == "" {
		t.Fatalf("first call: %+v", l.ended[0])
	}
	l.running.Go(func() { l.stream(ctx) })
	l.flow(t)
	return l
}

func (l *load) stream(ctx context.Context) {
	perSecond := size(60, 150)
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// A call that has begun is not cancelled when the stream stops.
		l.running.Go(func() {
			if n%2 == 0 {
				l.create(context.WithoutCancel(ctx), n)
			} else {
				l.read(context.WithoutCancel(ctx), n)
			}
		})
	}
}

// create creates the order with a number. A second try is safe: it has the same Idempotency-Key.
func (l *load) create(ctx context.Context, n int) {
	c := l.begin(n)
	name := l.name(n)
	r, err := l.call(ctx, n, http.MethodPost, "/v1/orders", orderOf(name), "Idempotency-Key", name)
	o := c.judge(r, err, http.StatusCreated, "", name)
	l.end(c, o.ID)
}

// read gets an order that was created before.
func (l *load) read(ctx context.Context, n int) {
	c := l.begin(n)
	id, name := l.known()
	r, err := l.call(ctx, n, http.MethodGet, "/v1/orders/"+id, "")
	c.judge(r, err, http.StatusOK, id, name)
	l.end(c, "")
}

func (l *load) call(ctx context.Context, n int, method, path, body string, header ...string) (system.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+grace())
	defer cancel()
	return l.users[n%len(l.users)].Call(ctx, method, path, body, header...)
}

// name returns the key and the name of the order with a number.
func (l *load) name(n int) string { return fmt.Sprintf("%s-%06d", l.prefix, n) }

func (l *load) known() (id, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.numbers[rand.IntN(len(l.numbers))]
	return l.orders[n], l.name(n)
}

func (l *load) begin(n int) *call {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &call{number: n, began: time.Now()}
	l.sent++
	l.inFlight[n] = c.began
	return c
}

func (l *load) end(c *call, orderID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.ended = time.Now()
	delete(l.inFlight, c.number)
	l.ended = append(l.ended, *c)
	if c.outcome == answered && orderID != "" {
		l.orders[c.number] = orderID
		l.numbers = append(l.numbers, c.number)
	}
}

// fault records an outage that ends when it begins, such as the kill of a process.
func (l *load) fault(t *testing.T, at time.Time) {
	t.Helper()
	l.outage(t, at, at)
}

// outage records that something was broken between two times, such as a broker that was down. It returns once the load has
// recovered. By then every call that the fault can have affected has ended, so that the next fault may come.
func (l *load) outage(t *testing.T, from, to time.Time) {
	t.Helper()
	l.mu.Lock()
	l.outages = append(l.outages, outage{from, to})
	l.mu.Unlock()
	awaittest.Success(t, "recovery", func(context.Context) error {
		l.settle(t)
		return l.recovered(to)
	})
	l.flow(t)
}

func (l *load) recovered(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := recovery(l.ended, at, time.Now()); !ok {
		return errors.New("no success after the last failure")
	}
	return nil
}

// flow waits until some more calls have succeeded.
func (l *load) flow(t *testing.T) {
	t.Helper()
	now := time.Now()
	awaittest.Success(t, "20 calls answered", func(context.Context) error {
		n := 0
		for _, c := range l.between(now, time.Now()) {
			if c.outcome == answered {
				n++
			}
		}
		if n < 20 {
			return fmt.Errorf("%d answered", n)
		}
		return nil
	})
}

// settle waits until all calls that are in flight now have ended.
func (l *load) settle(t *testing.T) {
	t.Helper()
	now := time.Now()
	awaittest.Success(t, "calls in flight ended", func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for n, began := range l.inFlight {
			if began.Before(now) {
				return fmt.Errorf("call %d has not ended", n)
			}
		}
		return nil
	})
}

// between returns the calls that began and ended between two times.
func (l *load) between(from, to time.Time) []call {
	l.mu.Lock()
	defer l.mu.Unlock()
	var calls []call
	for _, c := range l.ended {
		if c.began.After(from) && c.ended.Before(to) {
			calls = append(calls, c)
		}
	}
	return calls
}

// finish ends the stream, retries the orders that were not created, looks up every order in the database of orders, and adds
// a row for the fault to the report. The test fails if anything was lost or doubled, if any response was wrong, or if the
// recovery took longer than within.
func (l *load) finish(t *testing.T, fault, database string, within time.Duration) {
	t.Helper()
	l.stop()
	l.running.Wait()
	l.complete(t)
	r := summarize(l.ended, l.outages)
	r.fault = fault
	if err := l.audit(readOrders(t, database, l.prefix), &r); err != nil {
		t.Error(err)
	}
	results.add(r)
	t.Logf("%+v, statuses %v", r, l.statuses())
	l.complain(t)
	if r.lost != 0 || r.doubled != 0 {
		t.Errorf("%d lost, %d doubled", r.lost, r.doubled)
	}
	if r.recovery > within {
		t.Errorf("took %s to recover, want %s at most", r.recovery, within)
	}
}

// allAnswered fails the test if a call failed, even cleanly. It is for faults that no caller may notice. Call it after
// finish.
func (l *load) allAnswered(t *testing.T) {
	t.Helper()
	for _, c := range l.ended {
		if c.outcome == failed {
			t.Errorf("call %d failed after %s with status %d", c.number, c.ended.Sub(c.began), c.status)
		}
	}
}

// complete creates the orders that were not created, with the same keys, as clients do that want their order.
func (l *load) complete(t *testing.T) {
	t.Helper()
	for n := range l.sent {
		if n%2 != 0 {
			continue
		}
		awaittest.Success(t, fmt.Sprintf("order %d created by a retry", n), func(ctx context.Context) error {
			if l.orders[n] == "" {
				l.create(ctx, n)
			}
			if l.orders[n] == "" {
				return fmt.Errorf("call %d: %+v", n, l.ended[len(l.ended)-1])
			}
			return nil
		})
	}
}

// audit compares the orders that responses named with those in the database, IDs by name, and adds the differences to r.
func (l *load) audit(stored map[string][]string, r *row) error {
	var errs []error
	for n, id := range l.orders {
		ids := stored[l.name(n)]
		if !slices.Contains(ids, id) {
			r.lost++
			errs = append(errs, fmt.Errorf("call %d created order %s, the database has %q", n, id, ids))
		}
		if len(ids) > 1 {
			r.doubled++
			errs = append(errs, fmt.Errorf("call %d created orders %q", n, ids))
		}
	}
	return errors.Join(errs...)
}

// complain fails the test for each lost or wrong call, and shows up to ten.
func (l *load) complain(t *testing.T) {
	t.Helper()
	complaints := 0
	for _, c := range l.ended {
		if c.err == nil {
			continue
		}
		if complaints++; complaints <= 10 {
			t.Errorf("call %d, after %s: %v", c.number, c.ended.Sub(c.began), c.err)
		}
	}
	if complaints > 10 {
		t.Errorf("%d lost or wrong calls", complaints)
	}
}

func (l *load) statuses() map[int]int {
	counts := map[int]int{}
	for _, c := range l.ended {
		counts[c.status]++
	}
	return counts
}

func TestAudit(t *testing.T) {
	l := &load{prefix: "x", orders: map[int]string{0: "a", 2: "b", 4: "c", 6: "d"}}
	var r row
	err := l.audit(map[string][]string{"x-000000": {"a"}, "x-000002": {"b", "e"}, "x-000006": {"f"}}, &r)
	if err == nil || r.lost != 2 || r.doubled != 1 {
		t.Errorf("%+v, %v: want call 2 doubled, calls 4 and 6 lost", r, err)
	}
	if err := l.audit(map[string][]string{"x-000000": {"a"}, "x-000002": {"b"}, "x-000004": {"c"}, "x-000006": {"d"}}, &r); err != nil {
		t.Errorf("all is well: %v", err)
	}
}
