package system

// Services are the programs of a whole system.
var Services = []string{"gateway", "orders", "access-control"}
