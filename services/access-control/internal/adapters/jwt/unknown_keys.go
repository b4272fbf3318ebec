package jwt

import (
	"context"
	"log/slog"
	"time"

	"github.com/jellydator/ttlcache/v3"
	"golang.org/x/time/rate"
)

// unknownKeys logs each unknown key of tokens once. Such a token may be forged, so the log is bounded, as is the memory.
type unknownKeys struct {
	logger *slog.Logger
	logged *ttlcache.Cache[string, struct{}]
	rate   rate.Sometimes
}

func newUnknownKeys(logger *slog.Logger) *unknownKeys {
	return &unknownKeys{
		logger: logger,
		logged: ttlcache.New(ttlcache.WithCapacity[string, struct{}](100)),
		rate:   rate.Sometimes{First: 10, Interval: time.Minute},
	}
}

func (u *unknownKeys) warn(ctx context.Context, id string) {
	if u.logged.Has(id) {
		return
	}
	u.rate.Do(func() {
		if _, logged := u.logged.GetOrSet(id, struct{}{}); logged { // by a concurrent call
			return
		}
		u.logger.WarnContext(ctx, "rejected a token of an unknown key: it was removed, or replicas do not share their keys",
			"key", id[:min(len(id), 64)])
	})
}
