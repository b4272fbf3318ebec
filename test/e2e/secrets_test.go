package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestSecretsStaySecret searches everything that a run at log level debug wrote for tokens and passwords: logs, files and responses.
// Requests of access-control that crash their process are dropped, because they hold secrets.
func TestSecretsStaySecret(t *testing.T) {
	const wrongPassword = "Tr0ub4dor-and-3"
	s := suite.StartSystem(t, "LOG_LEVEL=debug", "RPC_DELIVERY_LIMIT=1", "RPC_TIMEOUT=10s", "GATEWAY_TOKEN_CACHE=0s")
	user := s.API.Login(t, "demo")
	forged := user
	forged.Token = user.Token[:len(user.Token)-8] + "AAAAAAAA"
	wrong := fmt.Sprintf(`{"username":"demo","password":%q}`, wrongPassword)
	responses := []system.Response{
		user.Want(t, http.StatusNotFound, http.MethodGet, "/v1/nothing", ""),
		forged.Want(t, http.StatusUnauthorized, http.MethodPost, "/v1/logout", ""),
		s.API.Want(t, http.StatusUnauthorized, http.MethodPost, "/v1/login", wrong),
	}

	first := s.Process("access-control")
	first.Stop(t)
	unanswered := []<-chan system.Response{
		user.CallInBackground(t, http.MethodPost, "/v1/logout", ""),
		s.API.CallInBackground(t, http.MethodPost, "/v1/login", wrong),
	}
	queues := []string{"access-control.validateToken", "access-control.login"}
	for _, queue := range queues {
		suite.CrashConsumer(t, "access-control", queue)
	}
	again := s.Start(t, "access-control")
	again.AwaitReady(t)
	for _, queue := range queues {
		awaittest.Success(t, queue+" empty", suite.Holds(queue, 0))
		if n, err := suite.Messages(t.Context(), queue+".dead"); err == nil {
			t.Errorf("there is a queue %s.dead, with %d messages", queue, n)
		}
	}
	if got := strings.Count(again.Output(), "message dropped"); got != len(queues) {
		t.Errorf("access-control dropped %d messages, want %d:\n%s", got, len(queues), again.Output())
	}
	for _, c := range unanswered {
		responses = append(responses, awaittest.Receive(t, c, "the end of the call"))
	}
	responses = append(responses, user.Want(t, http.StatusNoContent, http.MethodPost, "/v1/logout", ""))

	traces := system.Traces{}
	traces.AddResponses(responses)
	traces.AddSystem(t, s.Dir, append(s.Processes(), first)...)
	traces.Check(t, wrongPassword, user.Token, forged.Token)
}
