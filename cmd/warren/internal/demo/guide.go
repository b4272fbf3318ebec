package demo

import (
	"bytes"
	"errors"
	"io"
	"text/tabwriter"
	"text/template"
	"time"

	"example.com/warren/pkg/service"
)

// guide is what the demo prints when every service is ready.
type guide struct {
	Console  string // the URL of its page; "": there is none
	URL      string // of the HTTP API
	Session  session
	Services []serviceGuide
	Node     *nodeGuide // nil: all services run in this process
	DeadList string     // the command that lists dead-lettered messages; "": none
}

type serviceGuide struct {
	Name, AdminAddr string
	PID             int // 0: it runs in this process
	Examples        []service.Example
}

// nodeGuide is what a user can try when each service is a process and the broker is a RabbitMQ node.
type nodeGuide struct {
	Ctl       string // the command rabbitmqctl for the node
	BrokerURL string // quoted
	Call      string // the command that calls a method over the broker

	// A service, a request to it, and the commands that stop it and start it again. Empty: none is fit for it.
	Service     string
	Get         service.Example
	Stop, Start string
}

// CallTimeout returns how long a call waits for its reply.
func (guide) CallTimeout() time.Duration { return callTimeout }

// write prints the guide in one piece: services log to the same terminal.
func (g guide) write(w io.Writer) error {
	var text bytes.Buffer
	aligned := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	if err := errors.Join(guideTemplate.Execute(aligned, g), aligned.Flush()); err != nil {
		return err
	}
	_, err := text.WriteTo(w)
	return err
}

// Lines are at most 80 columns wide, but those whose length the machine decides: the token, and commands with paths.
var guideTemplate = template.Must(template.New("guide").Funcs(template.FuncMap{"curl": curlCommand}).Parse(`
{{with .Console}}Open the console in a browser: {{.}}
{{end}}Warren is up at {{$.URL}}
Ctrl-C stops it and removes its data.

Paste this into another shell. The user demo's token is valid for {{.Session.Lifetime.Minutes}} minutes:

  URL={{.URL}}/v1
  TOKEN={{.Session.Token}}

Then try:
{{range .Services}}{{range .Examples}}
  # {{.Status}}: {{.Shows}}
  {{curl .}}
{{- end}}{{end}}

{{with .Node -}}
Each service is its own process, and the broker is a private RabbitMQ node:
{{- else -}}
All services run in this process:
{{- end}}
{{range .Services}}
  {{.Name}}{{"\t"}}{{with .PID}}pid {{.}}{{"\t"}}{{end}}http://{{.AdminAddr}}/readyz and /metrics
{{- end}}
{{with .DeadList}}
  # list the dead-lettered messages of a method
  {{.}}
{{end -}}
{{with .Node}}
  # call a method over the broker, as the user demo
  export BROKER_URL={{.BrokerURL}}
  {{.Call}}
  # list the queues
  {{.Ctl}} list_queues name durable auto_delete exclusive consumers messages
{{- if .Service}}
  # stop {{.Service}}, call it, and start it again within {{$.CallTimeout}}: the call waits
  {{.Stop}}
  {{curl .Get}} &
  {{.Start}}
{{- end}}
{{end}}
`))
