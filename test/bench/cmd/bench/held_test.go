package main

import "testing"

func TestSizeIn(t *testing.T) {
	page := "heap profile: 1: 2\n\n# runtime.MemStats\n# HeapInuse = 4096\n# Stack = 8192 / 16384\n# HeapSys = 1x\n"
	for name, want := range map[string]int64{"HeapInuse": 4096, "Stack": 8192} {
		if got, err := sizeIn(page, name); got != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", name, got, err, want)
		}
	}
	if got, err := sizeIn(page, "HeapIdle"); err == nil {
		t.Errorf("got %d for a missing size, want an error", got)
	}
}
