// Command access-control knows the users and their tokens. --help lists its settings.
package main

import (
	"example.com/warren/pkg/service"
	accesscontrol "example.com/warren/services/access-control"
)

func main() { service.Main(accesscontrol.New()) }
