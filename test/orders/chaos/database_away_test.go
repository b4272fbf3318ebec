package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLongDatabaseAway keeps orders from writing to its database, and then starts orders while the folder of the database is missing, as
// an unmounted volume is. Calls fail at their time limit, orders waits for its database, and no order is lost.
func TestLongDatabaseAway(t *testing.T) {
	volume := filepath.Join(t.TempDir(), "volume")
	database := filepath.Join(volume, "orders.db")
	if err := os.Mkdir(volume, 0o700); err != nil {
		t.Fatal(err)
	}
	s := suite.StartSystem(t, limitSetting, "ORDERS_DATABASE="+database)
	l := startLoad(t, s.API.Login(t, "demo"))
	away := size(4*time.Second, 30*time.Second)

	began := time.Now()
	unlock := lockDatabase(t, database)
	wait(t, away)
	unlock()
	l.outage(t, began, time.Now())

	began = time.Now()
	s.Process("orders").Stop(t)
	rename(t, volume, volume+".away")
	s.Start(t, "orders").AwaitNotReady(t, "database")
	wait(t, away)
	rename(t, volume+".away", volume)
	s.Process("orders").AwaitReady(t)
	l.outage(t, began, time.Now())
	l.finish(t, fmt.Sprintf("the database is away for %s, twice", away), database, resumes())
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
