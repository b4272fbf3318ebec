package e2e

import (
	"net/http"
	"sync"
	"testing"

	"example.com/warren/test/internal/system"
)

// callMeanwhile has several clients call a path over and over until stop is called, which waits for them. A response other than 200
// fails the test: what the test does to the system must cost these clients nothing.
func callMeanwhile(t *testing.T, user system.API, path string, clients int) (stop func()) {
	t.Helper()
	stopped := make(chan struct{})
	var calling sync.WaitGroup
	for range clients {
		calling.Go(func() {
			for {
				select {
				case <-stopped:
					return
				case <-t.Context().Done():
					return
				default:
				}
				r, err := user.Call(t.Context(), http.MethodGet, path, "")
				if t.Context().Err() == nil && (err != nil || r.Status != http.StatusOK) {
					t.Errorf("a call of another client: status %d, %v: %s", r.Status, err, r.Body)
				}
			}
		})
	}
	return func() {
		close(stopped)
		calling.Wait()
	}
}
