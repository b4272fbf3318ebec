package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"modernc.org/sqlite"

	"example.com/warren/pkg/telemetry"
)

// openPool returns a pool that makes a span of each statement and transaction, if traces are on. The spans have the texts of
// statements, and never their arguments.
func openPool(dataSource string) (*sql.DB, error) {
	if !telemetry.Enabled() {
		return sql.Open("sqlite", dataSource)
	}
	return otelsql.Open("sqlite", dataSource,
		otelsql.WithTracerProvider(callerProvider{}),
		otelsql.WithAttributes(telemetry.DBSystemSQLite),
		otelsql.WithSpanNameFormatter(func(_ context.Context, method otelsql.Method, query string) string { return operation(method, query) }),
		otelsql.WithAttributesGetter(
			func(_ context.Context, method otelsql.Method, query string, _ []driver.NamedValue) []attribute.KeyValue {
				return []attribute.KeyValue{telemetry.DBOperationName.String(operation(method, query))}
			}),
		otelsql.WithSpanErrorAttributesGetter(func(err error) []attribute.KeyValue {
			return []attribute.KeyValue{telemetry.ErrorType.String(errorType(err))}
		}),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			DisableErrSkip:       true,
			OmitConnResetSession: true,
			OmitConnectorConnect: true,
			OmitRows:             true,
			SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return trace.SpanFromContext(ctx).IsRecording() // a statement begins no trace
			},
		}))
}

// operation returns the first word of a statement, such as INSERT, or what is done to a transaction.
func operation(method otelsql.Method, query string) string {
	if words := strings.Fields(query); len(words) > 0 {
		return strings.ToUpper(words[0])
	}
	switch method {
	case otelsql.MethodConnBeginTx:
		return "BEGIN"
	case otelsql.MethodTxCommit:
		return "COMMIT"
	case otelsql.MethodTxRollback:
		return "ROLLBACK"
	default:
		return string(method)
	}
}

// errorType returns SQLite's code (https://www.sqlite.org/rescode.html).
func errorType(err error) string {
	switch e, ok := errors.AsType[*sqlite.Error](err); {
	case ok:
		return strconv.Itoa(e.Code())
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "error"
	}
}

// callerProvider makes spans with the provider of the span in the context. So a service need not give its provider to its
// databases.
type callerProvider struct{ embedded.TracerProvider }

func (callerProvider) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return callerTracer{name: name, options: options}
}

type callerTracer struct {
	embedded.Tracer
	name    string
	options []trace.TracerOption
}

func (t callerTracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer(t.name, t.options...).Start(ctx, name, options...)
	return ctx, statementSpan{span}
}

// statementSpan leaves out the texts of errors, which may have data. errorType says what failed.
type statementSpan struct{ trace.Span }

func (statementSpan) RecordError(error, ...trace.EventOption) {}
