package driver_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

func TestValidateQueue(t *testing.T) {
	longest := strings.Repeat("q", messaging.MaxHeaderNameBytes)
	for name, test := range map[string]struct {
		queue messaging.Queue
		valid bool
	}{
		"least":   {messaging.Queue{Name: "q", Durable: true}, true},
		"classic": {messaging.Queue{Name: longest, Durable: true, Type: messaging.Classic, AutoDelete: true}, true},
		"quorum": {messaging.Queue{
			Name: "q", Durable: true, Type: messaging.Quorum, Expiry: time.Minute, DeadLetter: "q.dead", DeliveryLimit: 5,
		}, true},
		"zero":                {messaging.Queue{}, false},
		"no name":             {messaging.Queue{Durable: true}, false},
		"long name":           {messaging.Queue{Name: longest + "q", Durable: true}, false},
		"malformed name":      {messaging.Queue{Name: "q\xff", Durable: true}, false},
		"line break":          {messaging.Queue{Name: "q\n", Durable: true}, false},
		"text in a name":      {messaging.Queue{Name: "queue ü\x00", Durable: true}, true},
		"long dead letter":    {messaging.Queue{Name: "q", Durable: true, DeadLetter: longest + "q"}, false},
		"not durable":         {messaging.Queue{Name: "q"}, false},
		"unknown type":        {messaging.Queue{Name: "q", Durable: true, Type: "stream"}, false},
		"auto-delete quorum":  {messaging.Queue{Name: "q", Durable: true, Type: messaging.Quorum, AutoDelete: true}, false},
		"negative expiry":     {messaging.Queue{Name: "q", Durable: true, Expiry: -1}, false},
		"longest expiry":      {messaging.Queue{Name: "q", Durable: true, Expiry: messaging.MaxLifetime}, true},
		"endless expiry":      {messaging.Queue{Name: "q", Durable: true, Expiry: messaging.MaxLifetime + 1}, false},
		"the broker's prefix": {messaging.Queue{Name: "amq.q", Durable: true}, false},
		"negative limit":      {messaging.Queue{Name: "q", Durable: true, DeliveryLimit: -1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := driver.ValidateQueue(test.queue)
			if test.valid && err != nil {
				t.Errorf("got error %v", err)
			}
			if !test.valid && !errors.Is(err, messaging.ErrInvalidQueue) {
				t.Errorf("got error %v, want %v", err, messaging.ErrInvalidQueue)
			}
		})
	}
}
