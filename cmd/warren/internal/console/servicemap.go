package console

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"example.com/warren/pkg/telemetry"
	"example.com/warren/services/gateway"
)

// mapWindow is the time that the map covers, if the store has the traces of all of it.
const mapWindow = 5 * time.Minute

type (
	serviceView struct {
		Name string `json:"name"`
		Up   *bool  `json:"up"` // nil: unknown
		rates
	}
	edgeView struct {
		edge
		rates
		Messages  *int `json:"messages"`
		Consumers *int `json:"consumers"`
	}
	rates struct {
		Rate       float64 `json:"rate"` // per second
		ErrorShare float64 `json:"error_share"`
		P95        float64 `json:"p95_ms"`
	}
	// edge is a way by which a service calls another.
	edge struct {
		From  string `json:"from"`
		To    string `json:"to"`
		Queue string `json:"queue"`
	}
)

// sample collects what is known about a service or an edge.
type sample struct {
	weight, failed float64
	durations      []float64
}

func (s *sample) add(of *span, weight float64) {
	s.weight += weight
	if of.failed() {
		s.failed += weight
	}
	s.durations = append(s.durations, of.duration())
}

func (s *sample) rates(window time.Duration) rates {
	if len(s.durations) == 0 {
		return rates{}
	}
	slices.Sort(s.durations)
	p95 := int(math.Ceil(0.95*float64(len(s.durations)))) - 1
	return rates{Rate: s.weight / window.Seconds(), ErrorShare: s.failed / s.weight, P95: s.durations[p95]}
}

// serviceMap is the services and edges of some traces.
type serviceMap struct {
	services map[string]*sample
	edges    map[edge]*sample
}

func sampleOf[K comparable](samples map[K]*sample, key K) *sample {
	if samples[key] == nil {
		samples[key] = &sample{}
	}
	return samples[key]
}

// add adds the calls of a trace. A call is seen by both of its sides. The caller's span counts, if it names a queue: it is there
// even if no service replies.
func (m *serviceMap) add(t trace) {
	spans, callees := map[string]*span{}, map[string]string{}
	for _, s := range t.spans {
		spans[s.ID] = s
		if s.isServed() {
			callees[s.Parent] = s.Service
		}
	}
	for _, s := range t.spans {
		queue, caller := s.queue(), spans[s.Parent]
		switch {
		case s.isServed():
			sampleOf(m.services, s.Service).add(s, t.weight)
			if caller != nil && caller.queue() == "" && caller.Service != s.Service {
				sampleOf(m.edges, edge{caller.Service, s.Service, queue}).add(s, t.weight)
			}
		case (s.Kind == "client" || s.Kind == "producer") && queue != "" && !strings.HasSuffix(queue, callbackSuffix):
			to, ok := callees[s.ID]
			if !ok {
				to, _, ok = strings.Cut(queue, ".")
			}
			if ok {
				sampleOf(m.services, s.Service)
				sampleOf(m.services, to)
				sampleOf(m.edges, edge{s.Service, to, queue}).add(s, t.weight)
			}
		}
	}
}

// isServed reports whether the span is the service's side of a call.
func (s *span) isServed() bool { return s.Kind == "server" || s.Kind == "consumer" }

// queue returns the queue by which a span's message went, or "".
func (s *span) queue() string {
	if s.text("db.system.name")+s.text("db.system") != "" {
		return ""
	}
	for _, key := range []attribute.Key{
		telemetry.MessagingDestination, telemetry.RPCMethod,
		// Of other instrumentations. A message to the default exchange has the queue as its routing key.
		"messaging.rabbitmq.destination.routing_key", "messaging.rabbitmq.routing_key",
	} {
		if name := s.text(key); name != "" {
			return name
		}
	}
	return ""
}

// showMap shows which services there are, how they do, and which calls which.
func (c *Console) showMap(*http.Request) (any, error) {
	now := c.store.now()
	window := min(mapWindow, max(time.Second, now.Sub(c.store.coveredSince())))
	m := &serviceMap{map[string]*sample{}, map[edge]*sample{}}
	recent, _ := c.store.newest(0, math.MaxInt, func(t trace) bool { return now.Sub(t.arrived) <= window })
	for _, t := range recent {
		m.add(t)
	}
	sampleOf(m.services, gatewayName)
	states, lookError := c.queueStates() // without a broker, the map has what the spans say
	queues, consumed := map[string]queueState{}, map[string]bool{}
	for _, q := range states {
		queues[q.Name] = q
		service, _, dotted := strings.Cut(q.Name, ".")
		if dotted && !q.Dead && q.Error == "" {
			up, seen := consumed[service]
			consumed[service] = q.Consumers > 0 && (up || !seen)
		}
	}
	for _, r := range gateway.Routes() {
		service, _, _ := strings.Cut(r.Queue, ".")
		sampleOf(m.services, service)
	}
	services, edges := []serviceView{}, []edgeView{}
	for _, name := range slices.Sorted(maps.Keys(m.services)) {
		view := serviceView{Name: name, rates: m.services[name].rates(window)}
		if up, ok := consumed[name]; ok {
			view.Up = &up
		}
		services = append(services, view)
	}
	for e, s := range m.edges {
		view := edgeView{edge: e, rates: s.rates(window)}
		if q, ok := queues[e.Queue]; ok && q.Error == "" {
			view.Messages, view.Consumers = &q.Messages, &q.Consumers
		}
		edges = append(edges, view)
	}
	slices.SortFunc(edges, func(a, b edgeView) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Queue, b.Queue))
	})
	response := map[string]any{"window_s": window.Seconds(), "services": services, "edges": edges, "queues_error": ""}
	if lookError != nil {
		response["queues_error"] = brokerError(lookError).Error()
	}
	return response, nil
}
