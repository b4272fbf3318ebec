// Command orders keeps customers' orders. --help lists its settings.
package main

import (
	"example.com/warren/pkg/service"
	"example.com/warren/services/orders"
)

func main() { service.Main(orders.New()) }
