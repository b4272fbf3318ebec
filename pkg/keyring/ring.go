package keyring

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	interval       = 10 * time.Second // between reads of the directory
	lookupInterval = time.Second      // the minimum before an unknown ID causes a read; anyone can make up IDs
)

// Options configure a Ring. All are required.
type Options struct {
	Directory  string
	Algorithms []Algorithm // one key of each signs
	Logger     *slog.Logger

	// Publish hands out the public keys to verifiers. It is called before any of the keys signs. If it fails, the ring keeps
	// the previous keys and tries again.
	Publish func(keys []Key) error
}

// Ring holds the keys that verify, some of which sign. It is safe for concurrent use.
type Ring struct {
	options Options
	keys    atomic.Pointer[keys]

	mu      sync.Mutex // held while the directory is read
	began   time.Time  // when the last read began
	failure string     // why it failed

	stop   chan struct{} // closed by Stop
	reader sync.WaitGroup
}

// keys is the content of a directory.
type keys struct {
	all     []Key // by file name
	byID    map[string]Key
	signing map[Algorithm]Key
}

// Open reads the keys in a directory. If there is none for one of the algorithms, it makes the directory and a key; concurrent
// processes all get the same key. It fails if other users can read a key or add one.
func Open(options Options) (*Ring, error) {
	r := &Ring{options: options, stop: make(chan struct{})}
	r.keys.Store(&keys{})
	if err := os.MkdirAll(options.Directory, 0o700); err != nil {
		return nil, err
	}
	found, err := r.read()
	if err != nil {
		return nil, err
	}
	for _, algorithm := range options.Algorithms {
		if _, ok := found.signing[algorithm]; ok {
			continue
		}
		if err := makeFile(options.Directory, algorithm); err != nil {
			return nil, fmt.Errorf("%s: no key of %s, and none can be made: %w", options.Directory, algorithm, err)
		}
	}
	// Read even the keys that this process made: another process may have been first.
	if err := r.update(); err != nil {
		return nil, err
	}
	return r, nil
}

// Start follows the directory until Stop is called.
func (r *Ring) Start() {
	r.reader.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-r.stop:
				return
			case <-ticker.C:
				r.reload(0)
			}
		}
	})
}

// Stop ends the goroutine of Start.
func (r *Ring) Stop() {
	close(r.stop)
	r.reader.Wait()
}

// Signing returns the key that signs with one of the ring's algorithms.
func (r *Ring) Signing(algorithm Algorithm) Key { return r.keys.Load().signing[algorithm] }

// Find returns the key with this ID. If it is unknown, Find reads the directory, at most once a second.
func (r *Ring) Find(id string) (Key, bool) {
	k, ok := r.keys.Load().byID[id]
	if !ok {
		r.reload(lookupInterval)
		k, ok = r.keys.Load().byID[id]
	}
	return k, ok
}

// reload reads the directory, unless the last read began within age. If a key can't be used, the previous keys stay in use:
// without one, everything that it has signed would be rejected.
func (r *Ring) reload(age time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.began) < age {
		return
	}
	r.began = time.Now()
	err := r.update()
	if err != nil && r.failure != err.Error() {
		r.options.Logger.Error("read keys; the previous ones stay in use", "error", err)
	}
	r.failure = fmt.Sprint(err)
}

// update reads the files, publishes the keys, and puts them into use.
func (r *Ring) update() error {
	found, err := r.read()
	if err != nil {
		return err
	}
	for _, algorithm := range r.options.Algorithms {
		if _, ok := found.signing[algorithm]; !ok {
			return fmt.Errorf("%s: no key of %s", r.options.Directory, algorithm)
		}
	}
	if slices.EqualFunc(found.all, r.keys.Load().all, func(a, b Key) bool { return a.ID == b.ID && a.file == b.file }) {
		return nil
	}
	if err := r.options.Publish(found.all); err != nil {
		return fmt.Errorf("publish keys: %w", err)
	}
	r.keys.Store(found)
	var files, ids, signing []string
	for _, k := range found.all {
		files, ids = append(files, k.file), append(ids, k.ID)
		if found.signing[k.Algorithm].file == k.file {
			signing = append(signing, k.file)
		}
	}
	r.options.Logger.Info("loaded keys", "files", files, "ids", ids, "signing", signing)
	return nil
}
