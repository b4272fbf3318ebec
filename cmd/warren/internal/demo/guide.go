package demo

import (
	"io"
	"text/template"
	"time"
)

// guide is what the user is told when all is up.
type guide struct {
	URL      string // of the HTTP API
	Session  session
	Services []serviceGuide
	Node     *nodeGuide // nil: all services run in this process
	DeadList string     // the command that lists dead-lettered messages; "": none
}

type serviceGuide struct {
	Name, AdminAddr string
	PID             int // 0: it runs in this process
}

// nodeGuide is what there is to try with services in processes of their own, over a node. Its fields are commands.
type nodeGuide struct {
	Ctl         string // rabbitmqctl for the node
	StopOrders  string
	StartOrders string
}

// CallTimeout is how long a call waits for its reply.
func (guide) CallTimeout() time.Duration { return callTimeout }

// UnknownID is an order's id, of no order.
func (guide) UnknownID() string { return "0190a6d0-0000-7000-8000-00000000dead" }

func (g guide) write(w io.Writer) error { return guideTemplate.Execute(w, g) }

var guideTemplate = template.Must(template.New("guide").Parse(`
Warren is up at {{.URL}}. Ctrl-C stops it and removes its data.

Set a token of the user demo in another shell; it lasts {{.Session.Lifetime}}:

  TOKEN={{.Session.Token}}

Then try:

  # 401: no token
  curl -iw '\n' {{.URL}}/v1/orders
  # 200: a new token
  curl -iw '\n' {{.URL}}/v1/login -H 'Content-Type: application/json' -d '{"username":"demo","password":"demo"}'
  # 200: the orders of demo
  curl -iw '\n' {{.URL}}/v1/orders -H "Authorization: Bearer $TOKEN"
  # 201: a new order; once more with the same key, it is the same order
  curl -iw '\n' {{.URL}}/v1/orders -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -H 'Idempotency-Key: first' \
    -d '{"currency":"EUR","items":[{"sku":"carrot","quantity":3,"unit_price":250}]}'
  # 422: a bad order
  curl -iw '\n' {{.URL}}/v1/orders -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -H 'Idempotency-Key: second' \
    -d '{"currency":"EUR","items":[]}'
  # 200: an order is cancelled; once more, 409
  curl -iw '\n' -X POST {{.URL}}/v1/orders/{{.Session.OrderID}}/cancel -H "Authorization: Bearer $TOKEN"
  # 404: no such order
  curl -iw '\n' {{.URL}}/v1/orders/{{.UnknownID}} -H "Authorization: Bearer $TOKEN"

{{with .Node -}}
Each service is a process of its own, over a private RabbitMQ node:
{{- else -}}
All services run in this process:
{{- end}}
{{range .Services}}
  {{printf "%-14s" .Name}}{{with .PID}}  pid {{.}}{{end}}  http://{{.AdminAddr}}/readyz and /metrics
{{- end}}
{{with .DeadList}}
  # the messages that services gave up on, here those of orders.create
  {{.}}
{{end -}}
{{with .Node}}
  # the queues
  {{.Ctl}} list_queues name durable auto_delete exclusive consumers messages
  # stop orders, call it, start it again: the call waits for {{$.CallTimeout}}, then it would get 502
  {{.StopOrders}}
  curl -iw '\n' {{$.URL}}/v1/orders -H "Authorization: Bearer $TOKEN" &
  {{.StartOrders}}
{{end}}
`))
