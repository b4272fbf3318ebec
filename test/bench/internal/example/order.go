// Package example makes the reply of all rows of the benchmark.
package example

import (
	"encoding/json"
	"strings"
)

// Bytes is the usual size of a reply.
const Bytes = 1024

// Order is a reply of an order service.
type Order struct {
	ID       string `json:"id"`
	Customer string `json:"customer_id"`
	Status   string `json:"status"`
	Currency string `json:"currency"`
	Total    int64  `json:"total"`
	Items    []Item `json:"items"`
	Note     string `json:"note"`
}

// Item is a line of an Order.
type Item struct {
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity"`
	UnitPrice int64  `json:"unit_price"`
}

// NewOrder returns an order whose JSON has size bytes, or the minimum if size is less.
func NewOrder(size int) Order {
	o := Order{
		ID:       "0190a6d0-0000-7000-8000-000000000042",
		Customer: "0190a6d0-0000-7000-8000-000000000001",
		Status:   "paid",
		Currency: "EUR",
		Total:    10_450,
		Items: []Item{
			{SKU: "teapot", Quantity: 1, UnitPrice: 3490},
			{SKU: "cup", Quantity: 4, UnitPrice: 790},
			{SKU: "kettle", Quantity: 1, UnitPrice: 3800},
		},
	}
	o.Note = strings.Repeat("x", max(0, size-len(o.json())))
	return o
}

// JSON returns the JSON of an order in size bytes, or nothing for size 0.
func JSON(size int) []byte {
	if size == 0 {
		return nil
	}
	return NewOrder(size).json()
}

func (o Order) json() []byte {
	b, err := json.Marshal(o)
	if err != nil {
		return nil // every Order can be encoded
	}
	return b
}
