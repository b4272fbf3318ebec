package driver

import (
	"slices"
	"sync"
)

// Observers are functions that are called with each event. The zero value has none.
type Observers[T any] struct {
	mu   sync.Mutex // guards list, and is not held during calls
	list []*func(T) // replaced, never changed
}

// Add registers f. Call stop to unregister it.
func (o *Observers[T]) Add(f func(T)) (stop func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(slices.Clip(o.list), &f)
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.list = slices.DeleteFunc(slices.Clone(o.list), func(other *func(T)) bool { return other == &f })
	}
}

// Notify calls the registered functions, one after the other.
func (o *Observers[T]) Notify(event T) {
	o.mu.Lock()
	list := o.list
	o.mu.Unlock()
	for _, f := range list {
		(*f)(event)
	}
}
