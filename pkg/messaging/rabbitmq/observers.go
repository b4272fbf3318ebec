package rabbitmq

import (
	"slices"
	"sync"
	"sync/atomic"
)

// observers are the functions that want to hear of an event. The zero value has none.
type observers[T any] struct {
	mu   sync.Mutex // held by those who change list
	list atomic.Pointer[[]*func(T)]
}

// add has f called with each event, until stop.
func (o *observers[T]) add(f func(T)) (stop func()) {
	o.change(func(list []*func(T)) []*func(T) { return append(list, &f) })
	return func() {
		o.change(func(list []*func(T)) []*func(T) {
			return slices.DeleteFunc(list, func(other *func(T)) bool { return other == &f })
		})
	}
}

func (o *observers[T]) change(edit func([]*func(T)) []*func(T)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := edit(slices.Clone(o.current()))
	o.list.Store(&list)
}

func (o *observers[T]) current() []*func(T) {
	if list := o.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (o *observers[T]) notify(event T) {
	for _, f := range o.current() {
		(*f)(event)
	}
}
