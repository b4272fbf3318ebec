package sqlite

import (
	"errors"
	"slices"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// temporary is an error that the next attempt may not have.
type temporary struct{ error }

// Temporary returns true.
func (temporary) Temporary() bool { return true }

// Unwrap returns the error itself.
func (t temporary) Unwrap() error { return t.error }

// temporaryCodes are SQLite's results for a file that can't be used at the moment (https://www.sqlite.org/rescode.html).
var temporaryCodes = []int{
	codes.SQLITE_BUSY, codes.SQLITE_LOCKED, codes.SQLITE_PROTOCOL, // another process uses it
	codes.SQLITE_CANTOPEN, codes.SQLITE_PERM, codes.SQLITE_READONLY, // no permission, or a volume that is not ready
	codes.SQLITE_IOERR, codes.SQLITE_FULL, codes.SQLITE_NOMEM,
}

// MarkTemporary returns err with a method Temporary() bool, which returns true, if err is one of SQLite that the next attempt may
// not have: the file is locked or can't be used at the moment. A start hook with such an error is called again.
func MarkTemporary(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && slices.Contains(temporaryCodes, e.Code()&0xff) {
		return temporary{err}
	}
	return err
}
