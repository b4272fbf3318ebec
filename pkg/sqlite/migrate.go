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

// migrate applies the missing migrations. It tries again for lockTimeout, because replicas that start at the same time
// disturb each other: SQLite is busy while one of them turns on WAL mode, and a migration fails if another replica has
// just applied it, since goose has no lock for SQLite. The next try finds it applied.
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
	}, backoff.WithBackOff(backoff.NewConstantBackOff(20*time.Millisecond)), backoff.WithMaxElapsedTime(lockTimeout))
	return err
}

// up creates a provider for each try, because a provider creates goose's own table only in its first one.
func up(ctx context.Context, db *sql.DB, files fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// isLostRace reports whether another replica may have caused err.
func isLostRace(err error) bool {
	var busy *sqlite.Error
	var failed *goose.PartialError
	return errors.As(err, &failed) || errors.As(err, &busy) && busy.Code()&0xff == codes.SQLITE_BUSY
}
