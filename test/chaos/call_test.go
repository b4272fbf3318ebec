package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// call is one of the stream.
type call struct {
	number int
	began  time.Time
	ended  time.Time
	outcome
	status        int
	correlationID string
	err           error // of a call that was neither answered nor failed cleanly
}

// outcome is what became of a call.
type outcome int

const (
	// answered: with 2xx, and with what belongs to its number.
	answered outcome = iota
	// failed cleanly: with 502 or 503 as problem+json, 503 with Retry-After.
	failed
	// lost: no answer came, within the limit or at all.
	lost
	// wrong: answered with anything else.
	wrong
)

// order is what the load knows of an order.
type order struct {
	ID    string `json:"id"`
	Items []struct {
		SKU string `json:"sku"`
	} `json:"items"`
}

// judge sets the outcome from the answer. The caller expects status, and the order that has sku, and id unless that is
// not known.
func (c *call) judge(a system.Response, err error, status int, id, sku string) order {
	c.status, c.correlationID = a.Status, a.Header.Get("X-Correlation-Id")
	switch {
	case err != nil:
		c.outcome, c.err = lost, err
	case a.Status == http.StatusBadGateway, a.Status == http.StatusServiceUnavailable:
		c.outcome = failed
		if c.err = a.CheckProblem(); c.err != nil {
			c.outcome = wrong
		}
	case a.Status != status || c.correlationID == "":
		c.outcome, c.err = wrong, fmt.Errorf("status %d, want %d: %s", a.Status, status, a.Body)
	default:
		o, err := decodeOrder(a.Body)
		if err == nil && (o.Items[0].SKU != sku || id != "" && o.ID != id) {
			err = fmt.Errorf("want order %q with %s: %s", id, sku, a.Body)
		}
		if err != nil {
			c.outcome, c.err = wrong, err
		}
		return o
	}
	return order{}
}

func decodeOrder(body []byte) (order, error) {
	var o order
	if err := json.Unmarshal(body, &o); err != nil {
		return o, fmt.Errorf("body %q: %w", body, err)
	}
	if o.ID == "" || len(o.Items) != 1 {
		return o, errors.New("no order of one item: " + string(body))
	}
	return o, nil
}

func TestJudge(t *testing.T) {
	answer := func(status int, body string, header ...string) system.Response {
		h := http.Header{"X-Correlation-Id": {"1"}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return system.Response{Status: status, Header: h, Body: []byte(body)}
	}
	const right = `{"id":"7","items":[{"sku":"tea"}]}`
	problem := []string{"Content-Type", "application/problem+json", "Retry-After", "1"}
	tests := map[string]struct {
		answer system.Response
		err    error
		want   outcome
	}{
		"right":               {answer(200, right), nil, answered},
		"another order":       {answer(200, `{"id":"8","items":[{"sku":"tea"}]}`), nil, wrong},
		"another content":     {answer(200, `{"id":"7","items":[{"sku":"coffee"}]}`), nil, wrong},
		"no order":            {answer(200, `{}`), nil, wrong},
		"no JSON":             {answer(200, `tea`), nil, wrong},
		"another status":      {answer(404, right), nil, wrong},
		"internal error":      {answer(500, `{"correlation_id":"1"}`, problem...), nil, wrong},
		"no correlation id":   {answer(200, right, "X-Correlation-Id", ""), nil, wrong},
		"timed out":           {answer(502, `{"correlation_id":"1"}`, problem[:2]...), nil, failed},
		"refused":             {answer(503, `{"correlation_id":"1"}`, problem...), nil, failed},
		"no Retry-After":      {answer(503, `{"correlation_id":"1"}`, problem[:2]...), nil, wrong},
		"no problem":          {answer(502, `Bad Gateway`), nil, wrong},
		"another's problem":   {answer(502, `{"correlation_id":"2"}`, problem...), nil, wrong},
		"no answer in time":   {system.Response{}, context.DeadlineExceeded, lost},
		"only half an answer": {answer(200, `{"id":"7",`), errors.New("unexpected EOF"), lost},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var c call
			c.judge(test.answer, test.err, http.StatusOK, "7", "tea")
			if c.outcome != test.want || (c.err != nil) != (test.want == lost || test.want == wrong) {
				t.Errorf("outcome %d, want %d: %v", c.outcome, test.want, c.err)
			}
		})
	}
}
