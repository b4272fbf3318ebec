package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The names of attributes, after the semantic conventions of OpenTelemetry (https://opentelemetry.io/docs/specs/semconv/).
// Those of HTTP are stable, those of RPC and messaging still change: no other file has such a name.
const (
	// Of HTTP.
	HTTPRequestMethod      = semconv.HTTPRequestMethodKey
	HTTPResponseStatusCode = semconv.HTTPResponseStatusCodeKey
	HTTPRoute              = semconv.HTTPRouteKey
	URLPath                = semconv.URLPathKey // never with the query
	URLScheme              = semconv.URLSchemeKey

	// ErrorType is a status or a word, of few different ones.
	ErrorType = semconv.ErrorTypeKey
	// ConversationID is the correlation ID of a request, which problems and logs name it by.
	ConversationID = semconv.MessagingMessageConversationIDKey

	// DBOperationName is the first word of a statement.
	DBOperationName = semconv.DBOperationNameKey

	rpcSystem             = semconv.RPCSystemNameKey
	RPCMethod             = semconv.RPCMethodKey
	RPCResponseStatusCode = semconv.RPCResponseStatusCodeKey

	messagingSystem        = semconv.MessagingSystemKey
	MessagingDestination   = semconv.MessagingDestinationNameKey
	messagingOperationName = semconv.MessagingOperationNameKey
	messagingOperationType = semconv.MessagingOperationTypeKey
	messagingMessageID     = semconv.MessagingMessageIDKey
	messagingBodySize      = semconv.MessagingMessageBodySizeKey

	// QueueWait is how long a request waited in its queue, in milliseconds. The conventions have no name for it.
	QueueWait = attribute.Key("messaging.rabbitmq.queue_wait_ms")

	// The properties of a request's message, as AMQP names them. The conventions have no names for them.
	amqpAppID        = attribute.Key("amqp.app_id")
	amqpContentType  = attribute.Key("amqp.content_type")
	amqpDeliveryMode = attribute.Key("amqp.delivery_mode")
	amqpExpiration   = attribute.Key("amqp.expiration")
	amqpHeaders      = attribute.Key("amqp.headers") // only their names
	amqpReplyTo      = attribute.Key("amqp.reply_to")
	amqpType         = attribute.Key("amqp.type")
	amqpUserID       = attribute.Key("amqp.user_id") // the broker's user, never the caller behind the request
)

// The values of rpcSystem and messagingSystem.
const (
	rpcSystemAMQP           = "amqp"
	messagingSystemRabbitMQ = "rabbitmq"
)

// DBSystemSQLite says that a statement is for SQLite.
var DBSystemSQLite = semconv.DBSystemNameSQLite

// EventResent is the event of a call's span that the request was sent again, because its connection was lost.
const EventResent = "resent"
