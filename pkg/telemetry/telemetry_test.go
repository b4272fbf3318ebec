package telemetry_test

import (
	"testing"

	"example.com/warren/pkg/telemetry"
)

func TestEnabled(t *testing.T) {
	tests := map[string]struct {
		environment map[string]string
		want        bool
	}{
		"nothing":             {nil, false},
		"an empty endpoint":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, false},
		"an endpoint":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true},
		"one for traces":      {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, true},
		"the SDK disabled":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "True"}, false},
		"the SDK enabled":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "false"}, true},
		"without an exporter": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.environment {
				t.Setenv(variable, value)
			}
			if got := telemetry.Enabled(); got != test.want {
				t.Errorf("Enabled() = %t", got)
			}
		})
	}
}
