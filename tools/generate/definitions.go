package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

// definitions is a file that RabbitMQ imports (https://www.rabbitmq.com/docs/definitions). It ignores Comment.
type definitions struct {
	Comment          string            `json:"comment"`
	VirtualHosts     []virtualHost     `json:"vhosts"`
	Users            []user            `json:"users"`
	Permissions      []permission      `json:"permissions"`
	TopicPermissions []topicPermission `json:"topic_permissions"`
}

type virtualHost struct {
	Name string `json:"name"`
}

type user struct {
	Name             string   `json:"name"`
	PasswordHash     string   `json:"password_hash"`
	HashingAlgorithm string   `json:"hashing_algorithm"`
	Tags             []string `json:"tags"`
}

// permission holds regular expressions for the names of queues and exchanges.
type permission struct {
	User        string `json:"user"`
	VirtualHost string `json:"vhost"`
	Configure   string `json:"configure"`
	Write       string `json:"write"`
	Read        string `json:"read"`
}

// topicPermission holds regular expressions for the routing keys of a topic exchange.
type topicPermission struct {
	User        string `json:"user"`
	VirtualHost string `json:"vhost"`
	Exchange    string `json:"exchange"`
	Write       string `json:"write"`
	Read        string `json:"read"`
}

const (
	defaultVirtualHost = "/"
	// topicExchange is confined although no service may write to it yet: RabbitMQ lets a user without topic permissions use
	// every routing key. The exchange must exist when RabbitMQ 4.3 imports the permissions.
	topicExchange = "amq.topic"
)

// brokerDefinitions returns a user for each service, who reads that service's queues alone. A user may also declare the
// request queues of the services that its own service calls, since it may be the first to need one.
func brokerDefinitions(services []description, password func(description) string) ([]byte, error) {
	d := definitions{Comment: header, VirtualHosts: []virtualHost{{Name: defaultVirtualHost}}}
	for _, s := range services {
		own := "^" + regexp.QuoteMeta(s.Name) + `\.`
		p := permission{
			User: s.Name, VirtualHost: defaultVirtualHost,
			Configure: own, Write: `^amq\.default$`, Read: own,
		}
		if len(s.Calls) > 0 {
			var called []string
			for _, name := range s.Calls {
				called = append(called, regexp.QuoteMeta(name))
			}
			p.Configure = own + `|^(` + strings.Join(called, "|") + `)\.[^.]+$`
		}
		d.Users = append(d.Users, user{
			Name: s.Name, PasswordHash: hash(s.Name, password(s)),
			HashingAlgorithm: "rabbit_password_hashing_sha256", Tags: []string{},
		})
		d.Permissions = append(d.Permissions, p)
		d.TopicPermissions = append(d.TopicPermissions, topicPermission{
			User: s.Name, VirtualHost: defaultVirtualHost, Exchange: topicExchange, Write: own, Read: ".*",
		})
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return b.Bytes(), err
}

// saltBytes is what RabbitMQ expects before a hash.
const saltBytes = 4

// hash returns password's hash as RabbitMQ computes it (https://www.rabbitmq.com/docs/passwords#computing-password-hash).
// The salt comes from the user's name instead of chance, so that generating again changes nothing. That is good enough for
// a password that is public anyway, or random.
func hash(user, password string) string {
	salt := sha256.Sum256([]byte("salt of " + user))
	sum := sha256.Sum256(append(salt[:saltBytes:saltBytes], password...))
	return base64.StdEncoding.EncodeToString(append(salt[:saltBytes:saltBytes], sum[:]...))
}
