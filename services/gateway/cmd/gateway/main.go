// Command gateway is the system's only interface to the outside: it turns HTTP requests into calls over the broker.
package main

import (
	"example.com/warren/pkg/service"
	"example.com/warren/services/gateway"
)

func main() { service.Main(gateway.New()) }
