package chaos

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// TestLongRollingRestart restarts two gateways behind a load balancer and two orders one after the other, as the deployment of a
// new version does. No call fails.
func TestLongRollingRestart(t *testing.T) {
	// The load balancer must notice that a gateway is stopping before it stops listening.
	delay := "STOP_DELAY=" + size(2*time.Second, time.Second).String()
	dir := t.TempDir()
	balancer := startBalancer(t, system.FreeAddr(t), system.FreeAddr(t))
	start := func(service string, env ...string) *system.Process {
		p := suite.Start(t, service, dir, env...)
		p.AwaitReady(t)
		return p
	}
	startGateway := func(i int) *system.Process {
		u := balancer.upstreams[i]
		p := start("gateway", fmt.Sprintf("RPC_INSTANCE=%d", i), "GATEWAY_ADDR="+u.addr, patientSetting(), delay)
		u.occupy(t, p)
		return p
	}
	start("access-control", "DEMO_DATA=true")
	orders := []*system.Process{start("orders"), start("orders")}
	gateways := []*system.Process{startGateway(0), startGateway(1)}

	demo := system.API{URL: "http://gateways", Client: &http.Client{Transport: balancer}}.Login(t, "demo")
	l := startLoad(t, demo)
	rounds := size(1, 5)
	for range rounds {
		for i := range gateways {
			stopping := time.Now()
			gateways[i].Stop(t)
			l.fault(t, stopping)
			gateways[i] = startGateway(i)
			l.flow(t)
		}
		for i := range orders {
			stopping := time.Now()
			orders[i].Stop(t)
			l.fault(t, stopping)
			orders[i] = start("orders")
			l.flow(t)
		}
	}
	fault := fmt.Sprintf("rolling restart of two gateways and two orders, %d times", rounds)
	l.finish(t, fault, ordersDatabase(dir), resumes())
	l.allAnswered(t)
	var stopping sync.WaitGroup // wait for both stop delays at once
	for _, p := range gateways {
		stopping.Go(func() { p.Stop(t) })
	}
	stopping.Wait()
}
