package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/test/internal/system"
)

// TestUnknownReply sends replies to no call into the callback queue. The gateway drops and counts them.
func TestUnknownReply(t *testing.T) {
	s := suite.StartSystem(t)
	b := suite.Connect(t, "access-control") // every broker user may publish to the callback queue
	for _, id := range []string{uuid.NewString(), "", "made up"} {
		m := messaging.Message{CorrelationID: id, ContentType: "application/json", Body: []byte(`{"forged":true}`)}
		if err := b.Publish(t.Context(), "gateway.rpc.response", m); err != nil {
			t.Fatal(err)
		}
	}
	awaittest.Success(t, "counted", func(context.Context) error {
		if n := s.Gateway.Metric(t, "rpc_client_orphan_replies_total"); n != 3 {
			return fmt.Errorf("%v orphan replies counted, want 3", n)
		}
		return nil
	})
	s.API.Login(t, "demo")
	awaittest.Success(t, "acknowledged", suite.Holds("gateway.rpc.response", 0))
}

// TestHostileRequests sends requests that would break a shared connection to the broker if the gateway passed them on.
// Calls of other clients must succeed meanwhile.
func TestHostileRequests(t *testing.T) {
	s := suite.StartSystem(t)
	stop := invalidLogins(t, s.API, 8)
	large := strings.Repeat("x", 1000)
	var many, growing []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("X-%d: y", i))
	}
	for i := range 650 { // within the limit for HTTP, and longer in a message, where each slash is %2F
		growing = append(growing, fmt.Sprintf("X-%d: ////////", i))
	}
	// An invalid login, which the service refuses with 422, unless the gateway refuses the request.
	invalid := func(query string, headers ...string) string {
		headers = append(headers, "Content-Type: application/json", "Content-Length: 2")
		return system.RequestHead("POST", "/v1/login"+query, headers...) + "{}"
	}
	tests := map[string]struct {
		request string
		want    int
	}{
		"200 KiB of headers":     {invalid("", "X-Large: "+strings.Repeat(large, 200)), 431},
		"20 KiB of headers":      {invalid("", "X-Large: "+strings.Repeat(large, 20)), 431},
		"1000 small headers":     {invalid("", many...), 422},
		"650 headers that grow":  {invalid("", growing...), 422},
		"a 300-byte header name": {invalid("", "X-"+strings.Repeat("n", 300)+": x"), 422},
		"a control character":    {invalid("", "X-Control: a\x01b"), 400},
		"a NUL":                  {invalid("", "X-Control: a\x00b"), 400},
		"20 KiB of query":        {invalid("?q=" + strings.Repeat(large, 20)), 431},
		"a 300-byte query name":  {invalid("?" + strings.Repeat("n", 300) + "=1"), 422},
		"a 2 MiB body":           {system.RequestHead("POST", "/v1/login", "Content-Length: 2097152"), 413},
		"not HTTP":               {"no request\r\n\r\n", 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				if status := s.API.SendRaw(t, test.request); status != test.want {
					t.Errorf("status %d, want %d", status, test.want)
				}
			}
		})
	}
	stop()
	if n := s.Gateway.Metric(t, "messaging_reconnects_total"); n != 0 {
		t.Errorf("the gateway lost its connection to the broker %v times", n)
	}
}
