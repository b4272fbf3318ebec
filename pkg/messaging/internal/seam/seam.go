// Package seam holds what package messaging creates and package driver reads, so that neither exports it to services.
package seam

import "time"

// SubscribeOptions are the settings that messaging.SubscribeOption changes. Zero values mean the defaults.
type SubscribeOptions struct {
	Prefetch    int
	Concurrency int
	Exclusive   bool
	FirstRetry  time.Duration
	LastRetry   time.Duration
}

// Rejection is an error that messaging.Reject marks as final.
type Rejection struct{ Err error }

func (r Rejection) Error() string { return r.Err.Error() }

// Unwrap returns the error that was marked.
func (r Rejection) Unwrap() error { return r.Err }
