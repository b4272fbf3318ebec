package rabbitmq

import (
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"no URL":             {Options{}, "no broker URL"},
		"not AMQP":           {Options{URLs: []string{"http://u:secret@host"}}, "not a valid amqp"},
		"broken":             {Options{URLs: []string{"amqp://u:secret@host", "amqp://u:secret @host"}}, "broker URL 2 of 2"},
		"heartbeat in a URL": {Options{URLs: []string{"amqp://host/?heartbeat=10"}}, "sets a heartbeat"},
		"mechanism in a URL": {Options{URLs: []string{"amqps://u:secret@host/?auth_mechanism=external"}}, "sets auth_mechanism"},
		"short heartbeat":    {Options{URLs: []string{"amqp://host"}, Heartbeat: time.Millisecond}, "below one second"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("a password in %v", err)
			}
		})
	}
}
