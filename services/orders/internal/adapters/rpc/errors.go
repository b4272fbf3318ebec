package rpc

import (
	"errors"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

// problem translates the errors that the caller may see. Any other error becomes status 500.
func problem(err error) error {
	var wrong *domain.InvalidError
	var refused *domain.NotCancellableError
	switch {
	case errors.Is(err, domain.ErrNotFound):
		return rpc.NotFound("%s", domain.ErrNotFound).WithReason("order-not-found")
	case errors.As(err, &refused):
		return rpc.Conflict("%s", refused).WithReason("order-not-cancellable")
	case errors.As(err, &wrong):
		return invalid(wrong.Field, wrong.Message)
	case errors.Is(err, app.ErrKeyReused):
		return rpc.Unprocessable("%s", app.ErrKeyReused).WithReason("idempotency-key-reused")
	default:
		return err
	}
}

// invalid returns the error of one input field, in the form of the errors that pkg/rpc returns for validate tags.
func invalid(field, message string) *rpc.Error {
	return rpc.Unprocessable("invalid input").WithFields(rpc.FieldError{Field: field, Message: message})
}
