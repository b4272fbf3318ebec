package ttlcache

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"example.com/warren/pkg/rpc"
)

func TestIdentityCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewIdentityCache(2)
		has := func(key string) bool {
			identity := c.Get(key)
			if identity != nil && identity.Subject != key {
				t.Errorf("%s holds the identity of %s", key, identity.Subject)
			}
			return identity != nil
		}
		c.Put("a", &rpc.Identity{Subject: "a"}, 5*time.Second)
		<-time.After(4 * time.Second)
		if !has("a") {
			t.Error("gone before its time")
		}
		<-time.After(2 * time.Second)
		if has("a") {
			t.Error("being asked for has prolonged it")
		}
		c.Put("a", &rpc.Identity{Subject: "a"}, time.Minute)
		c.Put("b", &rpc.Identity{Subject: "b"}, time.Minute)
		c.Put("c", &rpc.Identity{Subject: "c"}, time.Minute)
		if has("a") || !has("b") || !has("c") {
			t.Errorf("a %t, b %t, c %t: want the oldest gone at the third of two", has("a"), has("b"), has("c"))
		}
		c.Delete("b")
		if has("b") {
			t.Error("there after Delete")
		}
	})
}

func TestRegister(t *testing.T) {
	c, registry := NewIdentityCache(2), prometheus.NewPedanticRegistry()
	if err := c.Register(registry); err != nil {
		t.Fatal(err)
	}
	c.Put("a", &rpc.Identity{}, time.Minute)
	for _, key := range []string{"a", "b", "a"} {
		c.Get(key)
	}
	const want = `
		# HELP token_cache_lookups_total Tokens looked up in the cache of checked tokens, by the result: hit or miss.
		# TYPE token_cache_lookups_total counter
		token_cache_lookups_total{result="hit"} 2
		token_cache_lookups_total{result="miss"} 1
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
