package domain

import "fmt"

// Catalogue is what the shop sells: unit prices by SKU and currency. Customers say what they want, not what it costs.
type Catalogue map[string]map[string]Money

// Sample is the catalogue of the sample shop. A real one is in a database, behind a port of package app.
var Sample = Catalogue{
	"assam-250g":      {"EUR": 950},
	"carrot":          {"EUR": 250},
	"cup":             {"EUR": 790, "JPY": 1300},
	"darjeeling-250g": {"EUR": 1450},
	"kettle":          {"EUR": 5900},
	"sencha-100g":     {"EUR": 750, "JPY": 1200},
	"strainer":        {"EUR": 650},
	"teapot":          {"EUR": 3490, "JPY": 5800},
}

// Line is what a customer wants of one product.
type Line struct {
	SKU      string
	Quantity int64
}

// Items returns the lines at the prices of the catalogue, or an *InvalidError.
func (c Catalogue) Items(currency string, lines []Line) ([]Item, error) {
	items := make([]Item, len(lines))
	for i, line := range lines {
		price, sold := c[line.SKU][currency]
		if !sold {
			return nil, &InvalidError{Field: fmt.Sprintf("items[%d].sku", i), Message: "is not sold in this currency"}
		}
		items[i] = Item{SKU: line.SKU, Quantity: line.Quantity, UnitPrice: price}
	}
	return items, nil
}
