package sqlite_test

import (
	"context"
	"database/sql"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	driver "modernc.org/sqlite"

	"example.com/warren/pkg/telemetry"
	"example.com/warren/pkg/telemetry/telemetrytest"
)

func TestSpans(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	for name, value := range receiver.Environment() {
		t.Setenv(name, value)
	}
	traces := telemetry.Start(t.Context(), telemetry.Service{Name: "test", Logger: slog.New(slog.DiscardHandler)})
	db := newDB(t)
	ctx, span := traces.Provider().Tracer("test").Start(t.Context(), "parent")
	if err := count(ctx, db); err != nil {
		t.Fatal(err)
	}
	_, err := db.Writer().ExecContext(ctx, `INSERT INTO notes (counter, text) VALUES (?, ?)`, "none", "secret")
	if err == nil {
		t.Fatal("a note of no counter was stored")
	}
	if _, err := value(t.Context(), db.Reader()); err != nil { // without a span
		t.Fatal(err)
	}
	span.End()
	traces.Stop(context.WithoutCancel(t.Context()))

	type statement struct {
		Name, Operation, Text, ErrorType string
		Failed, Child                    bool
	}
	var got []statement
	for _, s := range receiver.Spans() {
		if s.Name == "parent" {
			continue
		}
		if s.Attributes["db.system.name"] != "sqlite" || s.Kind != "CLIENT" {
			t.Errorf("%s of kind %s has %v", s.Name, s.Kind, s.Attributes)
		}
		if len(s.Events) > 0 || s.StatusDescription != "" { // they would have the text of the error
			t.Errorf("%s has the events %v and the status %q", s.Name, s.Events, s.StatusDescription)
		}
		text := func(name string) string { v, _ := s.Attributes[name].(string); return v }
		got = append(got, statement{
			s.Name, text("db.operation.name"), text("db.query.text"), text("error.type"), s.Failed,
			s.ParentID == span.SpanContext().SpanID().String(),
		})
	}
	want := []statement{
		{"BEGIN", "BEGIN", "", "", false, true},
		{"SELECT", "SELECT", `SELECT value FROM counters WHERE name = 'visits'`, "", false, true},
		{"UPDATE", "UPDATE", `UPDATE counters SET value = ? WHERE name = 'visits'`, "", false, true},
		{"COMMIT", "COMMIT", "", "", false, true},
		{"INSERT", "INSERT", `INSERT INTO notes (counter, text) VALUES (?, ?)`, "787", true, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Without traces, statements cost nothing more: the driver is SQLite's own.
func TestNoSpans(t *testing.T) {
	db := newDB(t)
	for _, pool := range []*sql.DB{db.Writer(), db.Reader()} {
		if _, ok := pool.Driver().(*driver.Driver); !ok {
			t.Errorf("the driver is %T", pool.Driver())
		}
	}
}
