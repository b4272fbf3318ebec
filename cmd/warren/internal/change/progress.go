package change

import (
	"fmt"
	"io"
	"os"
	"time"
)

// slow is how long a step takes before the user is told of it.
const slow = 2 * time.Second

// Begin tells the user at a terminal of a step if it takes long. Call done at its end.
func Begin(step string) (done func()) {
	if info, err := os.Stderr.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func() {}
	}
	return begin(os.Stderr, step)
}

func begin(out io.Writer, step string) (done func()) {
	timer := time.AfterFunc(slow, func() { fmt.Fprintf(out, "%s ...\n", step) })
	return func() { timer.Stop() }
}
