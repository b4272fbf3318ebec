package messaging_test

import (
	"errors"
	"fmt"
	"testing"

	"example.com/warren/pkg/messaging"
)

func TestReject(t *testing.T) {
	cause := errors.New("cause")
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nil":              {nil, false},
		"other":            {cause, false},
		"rejected":         {messaging.Reject(cause), true},
		"rejected wrapper": {messaging.Reject(fmt.Errorf("handle: %w", cause)), true},
		"wrapped":          {fmt.Errorf("handle: %w", messaging.Reject(cause)), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := messaging.IsReject(test.err); got != test.want {
				t.Errorf("IsReject(%v) = %t", test.err, got)
			}
			if test.want && !errors.Is(test.err, cause) {
				t.Errorf("error %v has lost its cause", test.err)
			}
		})
	}
}
