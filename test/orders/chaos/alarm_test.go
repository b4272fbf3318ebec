package chaos

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestLongMemoryAlarm raises the broker's memory alarm, so that it takes no messages. The gateway refuses calls, a gateway and an
// orders that are stopped meanwhile shut down gracefully, and the others go on once the alarm clears.
func TestLongMemoryAlarm(t *testing.T) {
	const stopTimeout = 10 * time.Second
	settings := []string{limitSetting, "STOP_TIMEOUT=" + stopTimeout.String()}
	s := suite.StartSystem(t, settings...)
	demo := s.API.Login(t, "demo")
	l := startLoad(t, demo)
	t.Cleanup(func() { suite.Ctl(t, "set_vm_memory_high_watermark", "0.4") })
	times := size(1, 5)
	for i := range times {
		gateway, api := suite.StartGateway(t, s.Dir, append(settings, fmt.Sprintf("RPC_INSTANCE=%d", i))...)
		gateway.AwaitReady(t)
		api.Token = demo.Token
		api.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")

		began := time.Now()
		suite.Ctl(t, "set_vm_memory_high_watermark", "absolute", "1024")
		// The broker notifies a connection of the alarm when the connection next publishes.
		if _, err := api.Call(t.Context(), http.MethodGet, "/v1/orders", ""); err != nil {
			t.Error(err)
		}
		for _, p := range []*system.Process{s.Gateway, gateway} {
			p.AwaitNotReady(t, "blocked")
		}
		blocked := time.Now()
		wait(t, size(time.Second, 5*time.Second))
		slowestRefusal(t, l.between(blocked, time.Now()))
		for _, p := range []*system.Process{gateway, s.Process("orders")} {
			took := system.Take(func() { p.Stop(t) })
			t.Logf("%s stopped within %s", p.Service, took.Round(time.Millisecond))
			if took > stopTimeout {
				t.Errorf("%s took %s to stop while blocked, want %s at most", p.Service, took, stopTimeout)
			}
		}
		s.Start(t, "orders")

		suite.Ctl(t, "set_vm_memory_high_watermark", "0.4")
		l.outage(t, began, nodeLog.AwaitFirst(t, began, alarmCleared))
	}
	fault := fmt.Sprintf("the broker's memory alarm, %d times", times)
	l.finish(t, fault, ordersDatabase(s.Dir), resumes())
}

// TestLongDiskAlarmAtStart starts the system while the broker has too little disk space to take messages. The gateway reports that it
// is not ready, and refuses calls at once. The system works once the alarm clears.
func TestLongDiskAlarmAtStart(t *testing.T) {
	const usual = "50MB"
	t.Cleanup(func() { suite.Ctl(t, "set_disk_free_limit", usual) })
	began := time.Now()
	suite.Ctl(t, "set_disk_free_limit", "1000000GB")
	s := suite.LaunchSystem(t, limitSetting)
	s.Gateway.AwaitNotReady(t, "blocked")
	awaittest.Success(t, "the API to listen", func(ctx context.Context) error {
		_, err := s.API.Call(ctx, http.MethodGet, "/", "")
		return err
	})
	var slowest time.Duration
	const calls = 10
	for range calls {
		slowest = max(slowest, system.Take(func() {
			s.API.Want(t, http.StatusServiceUnavailable, http.MethodPost, "/v1/login", `{"username":"demo","password":"demo"}`)
		}))
	}
	if allowed := size(10*time.Second, time.Second); slowest > allowed {
		t.Errorf("a refusal took %s, want %s at most", slowest, allowed)
	}
	suite.Ctl(t, "set_disk_free_limit", usual)
	cleared := nodeLog.AwaitFirst(t, began, alarmCleared)
	for _, p := range s.Processes() {
		p.AwaitReady(t)
	}
	t.Logf("ready %s after the end of the alarm", time.Since(cleared).Round(time.Millisecond))
	l := startLoad(t, s.API.Login(t, "demo"))
	l.fault(t, cleared)
	fault := fmt.Sprintf("the broker's disk alarm at the start (each call refused within %s)", slowest.Round(time.Millisecond))
	// The first call comes after rabbitmqctl has ended, and after a login.
	l.finish(t, fault, ordersDatabase(s.Dir), size(system.Patience, 10*time.Second))
}
