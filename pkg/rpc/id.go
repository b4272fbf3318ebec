package rpc

import (
	"crypto/rand"

	"github.com/google/uuid"
)

// NewID returns a UUID v4, the ID of a request and of what follows from it. Unlike uuid.NewString it allocates the text alone.
func NewID() string {
	var id uuid.UUID
	_, _ = rand.Read(id[:])   // never fails
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // the variant of RFC 9562
	return id.String()
}
