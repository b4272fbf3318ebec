package service

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
)

func TestCallStatus(t *testing.T) {
	tests := []struct {
		reply *rpc.Reply
		err   error
		want  string
	}{
		{&rpc.Reply{Status: 201}, nil, "201"},
		{nil, rpc.ErrTimeout, "timeout"},
		{nil, context.Canceled, "canceled"},
		{nil, rpc.ErrTooManyPending, "too_many_pending"},
		{nil, messaging.ErrUnavailable, "unavailable"},
		{nil, messaging.ErrUnroutable, "unroutable"},
		{nil, rpc.ErrMalformedReply, "malformed_reply"},
		{nil, errors.New("anything: else"), "error"},
	}
	for _, test := range tests {
		err := test.err
		if err != nil {
			err = fmt.Errorf("call orders.get: %w", err)
		}
		if got := callStatus(test.reply, err); got != test.want {
			t.Errorf("callStatus(%v, %v) = %s, want %s", test.reply, err, got, test.want)
		}
	}
}
