package service

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
)

func TestCallOutcome(t *testing.T) {
	tests := []struct {
		reply             *rpc.Reply
		err               error
		status, errorType string
	}{
		{&rpc.Reply{Status: 201}, nil, "201", ""},
		{&rpc.Reply{Status: 404}, nil, "404", "404"},
		{nil, rpc.ErrTimeout, "", "timeout"},
		{nil, context.Canceled, "", "canceled"},
		{nil, rpc.ErrTooManyPending, "", "too_many_pending"},
		{nil, messaging.ErrUnavailable, "", "unavailable"},
		{nil, messaging.ErrUnroutable, "", "unroutable"},
		{nil, rpc.ErrMalformedReply, "", "malformed_reply"},
		{nil, errors.New("anything: else"), "", "error"},
	}
	for _, test := range tests {
		err := test.err
		if err != nil {
			err = fmt.Errorf("call orders.get: %w", err)
		}
		if status, errorType := callOutcome(test.reply, err); status != test.status || errorType != test.errorType {
			t.Errorf("callOutcome(%v, %v) = %q, %q, want %q, %q", test.reply, err, status, errorType, test.status, test.errorType)
		}
	}
}
