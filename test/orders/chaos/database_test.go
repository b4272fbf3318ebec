package chaos

import (
	"database/sql"
	"net/url"
	"testing"

	_ "modernc.org/sqlite" //nolint:depguard // tests read the file that orders wrote, without orders

	"example.com/warren/test/internal/system"
)

// ordersDatabase returns the SQLite file of an orders service with its files in dir.
func ordersDatabase(dir string) string { return system.DataFile(dir, "orders", "ORDERS_DATABASE") }

// readOrders returns the IDs of orders in a database file of orders by name, for names that begin with prefix; see orderOf.
func readOrders(t *testing.T, path, prefix string) map[string][]string {
	t.Helper()
	source := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_query_only=true&_busy_timeout=5000"
	db, err := sql.Open("sqlite", source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT group_concat(char(quantity), '' ORDER BY position) AS name, order_id
		FROM order_items GROUP BY order_id HAVING name LIKE ? || '-%'`, prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	orders := map[string][]string{}
	for rows.Next() {
		var name, id string
		if err := rows.Scan(&name, &id); err != nil {
			t.Fatal(err)
		}
		orders[name] = append(orders[name], id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return orders
}
