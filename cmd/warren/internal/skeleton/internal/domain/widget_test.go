package domain_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
)

func TestNameLength(t *testing.T) {
	for length, valid := range map[int]bool{0: false, 1: true, domain.MaxNameLength: true, domain.MaxNameLength + 1: false} {
		_, err := domain.NewWidget("1", "alice", strings.Repeat("é", length), time.Now())
		var invalid *domain.InvalidError
		if rejected := errors.As(err, &invalid) && invalid.Field == "name"; rejected == valid {
			t.Errorf("%d characters: got %v, want valid: %t", length, err, valid)
		}
	}
}
