package rabbitmq

import (
	"testing"
)

// TestBackOff checks that pauses grow to a maximum, and differ between clients that lost the same broker.
func TestBackOff(t *testing.T) {
	a, b := newBackOff(), newBackOff()
	differ := 0
	for i := range 1000 {
		pause, other := a.NextBackOff(), b.NextBackOff()
		if i == 0 && (pause < firstRedial/2 || pause > 2*firstRedial) {
			t.Errorf("the first pause is %s", pause)
		}
		if i > 10 && pause < lastRedial/4 {
			t.Errorf("pause %d is %s", i, pause)
		}
		if pause > lastRedial {
			t.Errorf("pause %d is %s, more than %s", i, pause, lastRedial)
		}
		if pause != other {
			differ++
		}
	}
	if differ < 900 {
		t.Errorf("two clients had %d equal pauses of 1000", 1000-differ)
	}
}
