package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMigrationsDownAndUp(t *testing.T) {
	ctx := t.Context()
	db := NewDB(filepath.Join(t.TempDir(), "orders.db"))
	if err := db.Open(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	schema := func() (objects []string) {
		rows, err := db.writes.QueryContext(ctx, `SELECT name FROM sqlite_schema
			WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%' ORDER BY name`)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
		}()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			objects = append(objects, name)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return objects
	}
	up := schema()
	if len(up) == 0 {
		t.Fatal("no tables after Open")
	}
	provider, err := newProvider(db.writes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if left := schema(); len(left) != 0 {
		t.Errorf("left behind by the way down: %v", left)
	}
	if _, err := provider.Up(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(up, schema()); diff != "" {
		t.Error(diff)
	}
}
