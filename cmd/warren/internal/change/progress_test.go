package change

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		done := begin(&out, "quick")
		<-time.After(slow - 1) // of the bubble's clock
		done()
		done = begin(&out, "slow")
		<-time.After(slow)
		synctest.Wait()
		done()
		if out.String() != "slow ...\n" {
			t.Errorf("printed %q", &out)
		}
	})
}
