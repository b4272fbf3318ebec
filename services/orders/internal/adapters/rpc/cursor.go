package rpc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/warren/services/orders/internal/app"
)

// cursorEncoding encodes cursors. A cursor is a position in the list, base64url of "<microseconds since 1970>.<id>", and
// opaque to callers. It needs no signature: it tells where a page starts, not whose orders are on it.
var cursorEncoding = base64.RawURLEncoding.Strict()

// encodeCursor returns "" for nil, the position after the last page.
func encodeCursor(p *app.Position) string {
	if p == nil {
		return ""
	}
	return cursorEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", p.CreatedAt.UnixMicro(), p.ID))
}

// decodeCursor returns nil, the position of the first page, for "".
func decodeCursor(cursor string) (*app.Position, error) {
	if cursor == "" {
		return nil, nil
	}
	text, err := cursorEncoding.DecodeString(cursor)
	if err != nil {
		return nil, err
	}
	micros, id, found := strings.Cut(string(text), ".")
	if !found || id == "" {
		return nil, errors.New("cursor without an ID")
	}
	createdAt, err := strconv.ParseInt(micros, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("parse time of cursor: %w", err)
	}
	return &app.Position{CreatedAt: time.UnixMicro(createdAt).UTC(), ID: id}, nil
}
