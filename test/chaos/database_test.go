package chaos

import (
	"database/sql"
	"net/url"
	"testing"

	_ "modernc.org/sqlite" //nolint:depguard // tests read the file that orders wrote, without orders
)

// readOrders returns the IDs of orders in a database file of orders by SKU, for SKUs that begin with prefix.
func readOrders(t *testing.T, path, prefix string) map[string][]string {
	t.Helper()
	source := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_query_only=true&_busy_timeout=5000"
	db, err := sql.Open("sqlite", source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT i.sku, o.id FROM orders o JOIN order_items i ON i.order_id = o.id
		WHERE i.sku LIKE ? || '-%'`, prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	orders := map[string][]string{}
	for rows.Next() {
		var sku, id string
		if err := rows.Scan(&sku, &id); err != nil {
			t.Fatal(err)
		}
		orders[sku] = append(orders[sku], id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return orders
}
