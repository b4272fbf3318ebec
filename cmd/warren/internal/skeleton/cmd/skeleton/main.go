// Command skeleton keeps widgets. --help lists its settings.
package main

import (
	"example.com/warren/cmd/warren/internal/skeleton"
	"example.com/warren/pkg/service"
)

func main() { service.Main(skeleton.New()) }
