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

// A cursor is a position in the list: base64url of "<microseconds since 1970>.<id>". To callers it is opaque. It needs no
// signature: it says where to go on, not whose orders to show.
var cursorEncoding = base64.RawURLEncoding.Strict()

func encodeCursor(p *app.Position) string {
	if p == nil {
		return ""
	}
	return cursorEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", p.CreatedAt.UnixMicro(), p.ID))
}

// decodeCursor returns nil for no cursor.
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
		return nil, errors.New("cursor without an id")
	}
	createdAt, err := strconv.ParseInt(micros, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("time of a cursor: %w", err)
	}
	return &app.Position{CreatedAt: time.UnixMicro(createdAt).UTC(), ID: id}, nil
}
