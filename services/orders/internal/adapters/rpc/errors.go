package rpc

import (
	"errors"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

// replyError words the errors that the caller may see. The others become status 500.
func replyError(err error) error {
	var wrong *domain.InvalidError
	var refused *domain.NotCancellableError
	switch {
	case errors.Is(err, domain.ErrNotFound):
		return rpc.NotFound("%s", domain.ErrNotFound)
	case errors.As(err, &refused):
		return rpc.Conflict("%s", refused)
	case errors.As(err, &wrong):
		return invalid(wrong.Field, wrong.Message)
	case errors.Is(err, app.ErrKeyReused):
		return rpc.Unprocessable("%s", app.ErrKeyReused)
	default:
		return err
	}
}

// invalid is the error of one field, as pkg/rpc words those of the validate tags.
func invalid(field, message string) *rpc.Error {
	return rpc.Unprocessable("invalid input").WithFields(rpc.FieldError{Field: field, Message: message})
}
