// Package app holds what the gateway decides itself: whose request this is. All else it passes on.
package app
