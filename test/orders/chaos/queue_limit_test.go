package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLongQueueLimit starts a gateway whose callback queue the broker refuses, because the virtual host has as many queues as it may.
// The new gateway says why it is not ready, and serves once the limit is raised. The others go on meanwhile.
func TestLongQueueLimit(t *testing.T) {
	s := suite.StartSystem(t, patientSetting())
	demo := s.API.Login(t, "demo")
	l := startLoad(t, demo)
	clearLimit := sync.OnceFunc(func() { suite.Ctl(t, "clear_vhost_limits") }) // a second time fails
	t.Cleanup(clearLimit)
	began := time.Now()
	queues := strings.Count(suite.Ctl(t, "list_queues", "--no-table-headers", "name"), "\n")
	suite.Ctl(t, "set_vhost_limits", fmt.Sprintf(`{"max-queues":%d}`, queues))
	gateway, api := suite.StartGateway(t, s.Dir, patientSetting(), "RPC_INSTANCE=another")
	gateway.AwaitNotReady(t, "limit")
	l.flow(t)
	clearLimit()
	gateway.AwaitReady(t)
	api.Token = demo.Token
	api.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	l.fault(t, began)
	l.finish(t, "the limit of queues is reached when another gateway starts", ordersDatabase(s.Dir), resumes())
	l.allAnswered(t)
}
