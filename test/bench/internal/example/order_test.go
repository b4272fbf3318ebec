package example

import "testing"

func TestJSON(t *testing.T) {
	for _, size := range []int{0, Bytes, 64 << 10, 1 << 20} {
		if got := len(JSON(size)); got != size {
			t.Errorf("JSON(%d) has %d bytes", size, got)
		}
	}
}
