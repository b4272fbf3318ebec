package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// migrate runs the migrations that the database lacks. Replicas that start at the same time get in each other's way:
// SQLite is busy while one of them turns WAL mode on, and a migration fails on what another has just applied, since
// goose has no lock for SQLite. The next try finds it done.
func migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		err := up(ctx, db, files)
		if err != nil && !isLostRace(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(20*time.Millisecond)), backoff.WithMaxElapsedTime(lockPatience))
	return err
}

// up has a new provider each time: a provider makes goose's own table in its first try only.
func up(ctx context.Context, db *sql.DB, files fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func isLostRace(err error) bool {
	var busy *sqlite.Error
	var failed *goose.PartialError
	return errors.As(err, &failed) || errors.As(err, &busy) && busy.Code()&0xff == codes.SQLITE_BUSY
}
