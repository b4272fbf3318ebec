module example.com/warren/test

go 1.26.0

require (
	example.com/warren/pkg v0.0.0
	github.com/google/uuid v1.6.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/rabbitmq/amqp091-go v1.16.0 // indirect
)

replace example.com/warren/pkg => ../pkg
