package demo

import (
	"bytes"
	"io"
	"strings"
	"text/template"
	"time"
)

// guide is what the demo prints when every service is ready.
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

// nodeGuide is what a user can try when each service is a process and the broker is a RabbitMQ node. Its fields are shell
// commands.
type nodeGuide struct {
	Ctl         string // rabbitmqctl for the node
	StopOrders  string
	StartOrders string
}

// CallTimeout returns how long a call waits for its reply.
func (guide) CallTimeout() time.Duration { return callTimeout }

// UnknownID returns an order ID that no order has.
func (guide) UnknownID() string { return "0190a6d0-0000-7000-8000-00000000dead" }

// NameWidth returns the length of the longest service name.
func (g guide) NameWidth() int {
	width := 0
	for _, s := range g.Services {
		width = max(width, len(s.Name))
	}
	return width
}

// short prints 15m0s as 15m.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// write prints the guide in one piece: services log to the same terminal.
func (g guide) write(w io.Writer) error {
	var text bytes.Buffer
	if err := guideTemplate.Execute(&text, g); err != nil {
		return err
	}
	_, err := text.WriteTo(w)
	return err
}

// Lines are at most 80 columns wide, but those whose length the machine decides: the token, and commands with paths.
var guideTemplate = template.Must(template.New("guide").Funcs(template.FuncMap{"short": short}).Parse(`
Warren is up at {{.URL}}. Ctrl-C stops it and removes its data.

Paste this into another shell. The token of the user demo is valid for {{short .Session.Lifetime}}:

  URL={{.URL}}/v1
  TOKEN={{.Session.Token}}

Then try:

  # 401: no token
  curl -iw '\n' $URL/orders
  # 200: a new token
  curl -iw '\n' $URL/login -H 'Content-Type: application/json' \
    -d '{"username":"demo","password":"demo"}'
  # 200: the orders of demo
  curl -iw '\n' $URL/orders -H "Authorization: Bearer $TOKEN"
  # 201: a new order; repeated with the same key, the same order
  curl -iw '\n' $URL/orders -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -H 'Idempotency-Key: first' \
    -d '{"currency":"EUR","items":[{"sku":"carrot","quantity":3}]}'
  # 422: an invalid order
  curl -iw '\n' $URL/orders -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -H 'Idempotency-Key: second' \
    -d '{"currency":"EUR","items":[]}'
  # 200: an order is cancelled; repeated, 409
  curl -iw '\n' -X POST -H "Authorization: Bearer $TOKEN" \
    $URL/orders/{{.Session.OrderID}}/cancel
  # 404: no such order
  curl -iw '\n' -H "Authorization: Bearer $TOKEN" \
    $URL/orders/{{.UnknownID}}

{{with .Node -}}
Each service is its own process, and the broker is a private RabbitMQ node:
{{- else -}}
All services run in this process:
{{- end}}
{{range .Services}}
  {{printf "%-*s" $.NameWidth .Name}}{{with .PID}}  pid {{.}}{{end}}  http://{{.AdminAddr}}/readyz and /metrics
{{- end}}
{{with .DeadList}}
  # list the dead-lettered messages of orders.create
  {{.}}
{{end -}}
{{with .Node}}
  # list the queues
  {{.Ctl}} list_queues name durable auto_delete exclusive consumers messages
{{- if .StopOrders}}
  # stop orders, call it, and start it again within {{$.CallTimeout}}: the call waits
  {{.StopOrders}}
  curl -iw '\n' $URL/orders -H "Authorization: Bearer $TOKEN" &
  {{.StartOrders}}
{{- end}}
{{end}}
`))
