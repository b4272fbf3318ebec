package console

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// BenchmarkReceive sends the spans of 10,000 requests a second, by the store's clock, as the exporters of two services do, while
// a page is open. One operation is one request of four spans. core-% is the share of one core that this load takes, the sender's
// part included. The benchmark fails if the heap grows once the store is full, or if the page gets more than four batches a second.
func BenchmarkReceive(b *testing.B) {
	const perSecond = 10_000
	empty := heap()
	c := start(b, Options{})
	var sent atomic.Int64
	c.store.mu.Lock()
	c.store.now = func() time.Time { return epoch.Add(time.Duration(sent.Load()) * time.Second / perSecond) }
	c.store.mu.Unlock()
	page := openPage(b, c)

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	steps := described(listOrders)
	exporters := []*exporter{
		newExporter(b, c.URL(), transport, "gateway", steps[2:]...),
		newExporter(b, c.URL(), transport, "things", steps[:2]...),
	}
	send := func() {
		for _, e := range exporters {
			e.export(b, uint64(sent.Load()))
		}
		sent.Add(exportedRequests)
	}
	for full := false; !full; {
		send()
		c.store.mu.Lock()
		full = c.store.evicted
		c.store.mu.Unlock()
	}

	before, began, cpu, batches := heap(), time.Now(), cpuTime(b), page.batches.Load()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%exportedRequests == 0 {
			send()
		}
	}
	cpu = cpuTime(b) - cpu
	after, took := heap(), time.Since(began)
	if most := before + 8<<20; after > most {
		b.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	// The stream's timer may have had a tick pending.
	if batches = page.batches.Load() - batches; batches > int64(took/eventInterval)+1 {
		b.Errorf("the page got %d batches in %v", batches, took)
	}
	b.ReportMetric(100*cpu.Seconds()/float64(b.N)*perSecond, "core-%")
	b.ReportMetric((float64(after)-float64(empty))/(1<<20), "heap-MiB")
	b.ReportMetric(4*float64(sent.Load())/1e6, "Mspans-in-all")
	b.ReportMetric(100*c.store.counts().keptShare, "kept-%")
}

// described adds attributes to steps, about as many as a service's spans have.
func described(steps []step) []step {
	out := slices.Clone(steps)
	for i := range out {
		out[i].attributes = maps.Clone(out[i].attributes)
		if out[i].attributes == nil {
			out[i].attributes = map[string]any{}
		}
		for n := range 8 {
			out[i].attributes[fmt.Sprintf("messaging.attribute.%d", n)] = strings.Repeat("x", 20)
		}
	}
	return out
}

// exportedRequests is the number of requests whose spans are in one export: an SDK sends up to 512 spans at once.
const exportedRequests = 256

// exporter sends spans of one service.
type exporter struct {
	client *http.Client
	url    string
	body   []byte
	ids    []int // where the trace IDs are in body, in the order of the requests
	spans  int   // of a request
}

func newExporter(b *testing.B, url string, transport http.RoundTripper, service string, steps ...step) *exporter {
	b.Helper()
	mark := bytes.Repeat([]byte{0xee}, traceIDSize)
	e := &exporter{client: &http.Client{Transport: transport}, url: url + tracesPath, spans: len(steps)}
	var spans []*tracepb.Span
	for range exportedRequests {
		for _, s := range steps {
			span := s.encode()
			span.TraceId = mark
			spans = append(spans, span)
		}
	}
	var err error
	e.body, err = proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{keyValue("service.name", service)}},
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	for at := 0; ; at += traceIDSize {
		next := bytes.Index(e.body[at:], mark)
		if next < 0 {
			return e
		}
		at += next
		e.ids = append(e.ids, at)
	}
}

// export sends the spans of requests with trace IDs from first.
func (e *exporter) export(b *testing.B, first uint64) {
	b.Helper()
	for i, at := range e.ids {
		binary.BigEndian.PutUint64(e.body[at:], first+uint64(i/e.spans)+1)
	}
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, e.url, bytes.NewReader(e.body))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Content-Type", protobufType)
	response, err := e.client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		b.Fatalf("status %d", response.StatusCode)
	}
}

// openPage reads the stream of events until the benchmark ends.
func openPage(b *testing.B, c *Console) *pageReader {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, _ := c.subscribe(ctx, b)
	s.next(b, "stats")
	p := &pageReader{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s.lines.Scan() {
			if s.lines.Text() == "event: request" {
				p.batches.Add(1)
			}
		}
	}()
	b.Cleanup(func() {
		cancel()
		<-ended
	})
	return p
}

// pageReader counts the batches of requests that an open page gets.
type pageReader struct{ batches atomic.Int64 }

func heap() uint64 {
	runtime.GC()
	runtime.GC() // empties pools
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// cpuTime returns how long this process has run on any core.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
