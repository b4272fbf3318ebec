package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// call is one call of the load.
type call struct {
	number int
	began  time.Time
	ended  time.Time
	outcome
	status        int
	correlationID string
	err           error // why the call is lost or wrong
}

// outcome is what became of a call.
type outcome int

const (
	// answered means a 2xx response with the content that belongs to the call's number.
	answered outcome = iota
	// failed means a clean failure: 502 or 503 as problem+json, 503 with Retry-After.
	failed
	// lost means that no response came, or none within the limit.
	lost
	// wrong means any other response.
	wrong
)

// order is the part of an order that the load checks.
type order struct {
	ID    string `json:"id"`
	Items []item `json:"items"`
}

type item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// orderOf returns the body of a request to create the order with a name. An order has no text of its own, so the quantities of
// its items are the bytes of the name.
func orderOf(name string) string {
	var items []item
	for _, b := range []byte(name) {
		items = append(items, item{SKU: "cup", Quantity: int(b)})
	}
	body, _ := json.Marshal(map[string]any{"currency": "EUR", "items": items}) // strings and integers always marshal
	return string(body)
}

func (o order) name() string {
	var name []byte
	for _, each := range o.Items {
		name = append(name, byte(each.Quantity))
	}
	return string(name)
}

// judge sets the outcome from a response. The caller expects status and the order with name, and with id unless id is
// empty.
func (c *call) judge(r system.Response, err error, status int, id, name string) order {
	c.status, c.correlationID = r.Status, r.Header.Get("X-Correlation-Id")
	switch {
	case err != nil:
		c.outcome, c.err = lost, err
	case r.Status == http.StatusBadGateway, r.Status == http.StatusServiceUnavailable:
		c.outcome = failed
		if c.err = r.CheckProblem(); c.err != nil {
			c.outcome = wrong
		}
	case r.Status != status || c.correlationID == "":
		c.outcome, c.err = wrong, fmt.Errorf("status %d, want %d: %s", r.Status, status, r.Body)
	default:
		o, err := decodeOrder(r.Body)
		if err == nil && (o.name() != name || id != "" && o.ID != id) {
			err = fmt.Errorf("want order %q with %s: %s", id, name, r.Body)
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
	if o.ID == "" || len(o.Items) == 0 {
		return o, fmt.Errorf("not an order: %s", body)
	}
	return o, nil
}

func TestJudge(t *testing.T) {
	response := func(status int, body string, header ...string) system.Response {
		h := http.Header{"X-Correlation-Id": {"1"}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return system.Response{Status: status, Header: h, Body: []byte(body)}
	}
	const right = `{"id":"7","items":[{"quantity":116},{"quantity":101},{"quantity":97}]}`
	problem := []string{"Content-Type", "application/problem+json", "Retry-After", "1"}
	tests := map[string]struct {
		response system.Response
		err      error
		want     outcome
	}{
		"right":                   {response(200, right), nil, answered},
		"another order":           {response(200, strings.Replace(right, "7", "8", 1)), nil, wrong},
		"another content":         {response(200, strings.Replace(right, "116", "115", 1)), nil, wrong},
		"no order":                {response(200, `{}`), nil, wrong},
		"no JSON":                 {response(200, `tea`), nil, wrong},
		"another status":          {response(404, right), nil, wrong},
		"internal error":          {response(500, `{"correlation_id":"1"}`, problem...), nil, wrong},
		"no correlation ID":       {response(200, right, "X-Correlation-Id", ""), nil, wrong},
		"timed out":               {response(502, `{"correlation_id":"1"}`, problem[:2]...), nil, failed},
		"refused":                 {response(503, `{"correlation_id":"1"}`, problem...), nil, failed},
		"no Retry-After":          {response(503, `{"correlation_id":"1"}`, problem[:2]...), nil, wrong},
		"no problem":              {response(502, `Bad Gateway`), nil, wrong},
		"problem of another call": {response(502, `{"correlation_id":"2"}`, problem...), nil, wrong},
		"no response in time":     {system.Response{}, context.DeadlineExceeded, lost},
		"half a response":         {response(200, `{"id":"7",`), errors.New("unexpected EOF"), lost},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var c call
			c.judge(test.response, test.err, http.StatusOK, "7", "tea")
			if c.outcome != test.want || (c.err != nil) != (test.want == lost || test.want == wrong) {
				t.Errorf("outcome %d, want %d: %v", c.outcome, test.want, c.err)
			}
		})
	}
}
