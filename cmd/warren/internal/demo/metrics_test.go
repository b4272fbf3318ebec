package demo

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMeasure(t *testing.T) {
	ownTemp(t)
	all, err := measure(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	httpLabels := []string{"error_type", "http_request_method", "http_response_status_code", "http_route"}
	outcome := []string{"error_type", "rpc_method", "rpc_response_status_code"}
	for _, want := range []metric{
		{Name: requestDuration, Type: "histogram", Labels: httpLabels},
		{Name: "rpc_client_call_duration_seconds", Type: "histogram", Labels: outcome},
		{Name: "rpc_server_call_duration_seconds", Type: "histogram", Labels: outcome},
		{Name: "messaging_connected", Type: "gauge", Labels: []string{}},
		{Name: "go_sql_wait_count_total", Type: "counter", Labels: []string{"db_name"}},
	} {
		i := slices.IndexFunc(all, func(m metric) bool { return m.Name == want.Name })
		if i < 0 {
			t.Errorf("no metric %s", want.Name)
			continue
		}
		if diff := cmp.Diff(want, all[i], cmpopts.IgnoreFields(metric{}, "Help")); diff != "" || all[i].Help == "" {
			t.Errorf("metric %s (-want +got):\n%s", want.Name, diff)
		}
	}
}
