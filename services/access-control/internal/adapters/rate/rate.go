// Package rate limits logins with token buckets (golang.org/x/time/rate).
package rate
