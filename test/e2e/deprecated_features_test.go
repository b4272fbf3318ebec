package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/system"
)

// TestLongNoDeprecatedFeatures runs the system, with queues of both types, on nodes that deny each feature that a later RabbitMQ
// will not have. See https://www.rabbitmq.com/release-information/deprecated-features-list.
func TestLongNoDeprecatedFeatures(t *testing.T) {
	if version := suite.Node.Version(); strings.HasPrefix(version, "3.") {
		t.Logf("RabbitMQ %s does not list deprecated features: the versions from 4.0 on cover this", version)
		return
	}
	var deny strings.Builder
	for _, feature := range deprecatedFeatures(t, suite.Node) {
		fmt.Fprintf(&deny, "deprecated_features.permit.%s = false\n", feature)
	}
	for _, queueType := range []string{"classic", "quorum"} {
		t.Run(queueType, func(t *testing.T) {
			options := rabbitmqtest.Options{Definitions: system.Definitions(), Config: deny.String()}
			node := rabbitmqtest.StartNode(t, options)
			on := system.Suite{Programs: suite.Programs, Node: node}
			s := on.StartSystem(t, "RPC_QUEUE_TYPE="+queueType, "RPC_CALLBACK_QUEUE_TYPE="+queueType)
			demo := s.API.Login(t, "demo")
			demo.Want(t, http.StatusNoContent, http.MethodPost, "/v1/logout", "")
			if used := deprecatedFeatures(t, node, "--used"); len(used) != 0 {
				t.Errorf("the system uses %q", used)
			}
		})
	}
}

// deprecatedFeatures returns the names that rabbitmqctl list_deprecated_features prints.
func deprecatedFeatures(t *testing.T, node *rabbitmqtest.Node, options ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), system.Patience)
	defer cancel()
	out, err := node.Ctl(ctx, append([]string{"list_deprecated_features", "--formatter=json"}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	var features []struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal([]byte(out), &features); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	names := make([]string, len(features))
	for i, feature := range features {
		names[i] = feature.Name
	}
	t.Logf("list_deprecated_features %q: %q", options, names)
	return names
}
