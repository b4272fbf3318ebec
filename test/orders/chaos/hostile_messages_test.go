package chaos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// TestLongHostileMessages has a stolen broker user publish to the queues in use: messages that the AMQP library can't decode,
// messages with any properties, and copies to other queues under a forged count of deliveries. No call fails because of them. The
// short form is TestRawMessages of package e2e.
func TestLongHostileMessages(t *testing.T) {
	s := suite.StartSystem(t, patientSetting())
	l := startLoad(t, s.API.Login(t, "demo"))
	queues := []string{createQueue, "orders.get", "access-control.validateToken", callbackQueue}
	var copies []byte
	for _, queue := range queues {
		copies = append(copies, rabbitmqtest.Long('S', []byte(queue))...)
	}
	laundered := rabbitmqtest.Properties("laundered", rabbitmqtest.Field("CC", rabbitmqtest.Long('A', copies)),
		rabbitmqtest.Field("x-delivery-count", "l"+string(binary.BigEndian.AppendUint64(nil, 99))))
	undecodable := rabbitmqtest.Properties("undecodable", rabbitmqtest.Field("deep", rabbitmqtest.Nested('F', 100)))

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	began := time.Now()
	accepted := 0
	raw := suite.DialRaw(t, "access-control")
	for range size(25, 1000) {
		for _, queue := range queues {
			for _, properties := range [][]byte{undecodable, laundered, rabbitmqtest.RandomProperties(random, queues)} {
				switch err := raw.Publish(queue, properties, []byte("{}")); {
				case errors.Is(err, rabbitmqtest.ErrRefused):
					_ = raw.Close()
					raw = suite.DialRaw(t, "access-control")
				case err != nil:
					t.Fatalf("publish to %s with %q: %v", queue, properties, err)
				default:
					accepted++
				}
			}
		}
	}
	_ = raw.Close()
	l.fault(t, began)
	for _, queue := range queues {
		awaittest.Success(t, queue+" empty", suite.Holds(queue, 0))
	}
	l.finish(t, fmt.Sprintf("%d hostile messages", accepted), ordersDatabase(s.Dir), resumes())
	l.allAnswered(t)
	for _, queue := range []string{createQueue, "orders.get"} { // the other two keep no dead letters
		suite.Ctl(t, "purge_queue", queue+".dead") // other tests look at all that are there
	}
}
