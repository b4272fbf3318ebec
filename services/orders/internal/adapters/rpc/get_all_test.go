package rpc_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/domain"
)

// page returns the IDs on a page, and the cursor of the next page.
func (f fixture) page(who *rpc.Identity, query string) (ids []string, next string) {
	f.t.Helper()
	reply := f.do(getAll(who, query))
	f.want(reply, 200)
	var page struct {
		Orders []struct {
			ID string `json:"id"`
		} `json:"orders"`
		NextCursor string `json:"next_cursor"`
	}
	if err := json.Unmarshal(reply.Body, &page); err != nil {
		f.t.Fatal(err)
	}
	for _, o := range page.Orders {
		ids = append(ids, o.ID)
	}
	return ids, page.NextCursor
}

func TestPages(t *testing.T) {
	f := newFixture(t)
	var all, alices []string // newest first
	for i := range 45 {
		who := alice
		if i%3 == 2 {
			who = bob
		}
		f.want(f.do(create(who, tea)), 201)
		id := fmt.Sprintf("%04d", i+1)
		all = slices.Insert(all, 0, id)
		if who == alice {
			alices = slices.Insert(alices, 0, id)
		}
	}
	tests := []struct {
		who   *rpc.Identity
		query string
		size  int
		want  []string
	}{
		{alice, "", 20, alices},
		{alice, "limit=1", 1, alices},
		{alice, "limit=7&status=pending", 7, alices},
		{alice, "limit=30", 30, alices},
		{alice, "limit=100", 100, alices},
		{alice, "limit=7&status=paid", 7, nil},
		{admin, "limit=8", 8, all},
		{&rpc.Identity{Subject: "carol"}, "", 20, nil},
	}
	for _, test := range tests {
		t.Run(test.who.Subject+"?"+test.query, func(t *testing.T) {
			f := fixture{t: t, client: f.client}
			var got []string
			for cursor, last := "", false; !last; {
				ids, next := f.page(test.who, test.query+"&cursor="+url.QueryEscape(cursor))
				if last = next == ""; !last && len(ids) != test.size {
					t.Fatalf("a page of %d orders before the last one, want %d", len(ids), test.size)
				}
				got = append(got, ids...)
				cursor = next
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Orders that are created while a caller reads page after page do not change the next pages.
func TestPagesWhileCreating(t *testing.T) {
	f := newFixture(t)
	var want []string
	for i := range 9 {
		f.want(f.do(create(alice, tea)), 201)
		want = slices.Insert(want, 0, fmt.Sprintf("%04d", i+1))
	}
	ids, cursor := f.page(alice, "limit=2")
	got := ids
	for cursor != "" {
		f.want(f.do(create(alice, tea)), 201)
		ids, cursor = f.page(alice, "limit=2&cursor="+cursor)
		got = append(got, ids...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestGetAllByEachStatus holds the statuses in the validate tag against those of the domain.
func TestGetAllByEachStatus(t *testing.T) {
	f := newFixture(t)
	for _, status := range domain.Statuses() {
		f.want(f.do(getAll(alice, "status="+string(status))), 200)
	}
}

func TestGetAllInvalid(t *testing.T) {
	f := newFixture(t)
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=-1": "limit", "limit=101": "limit", "limit=x": "limit", "limit=1e1": "limit",
		"status=lost": "status", "status=Paid": "status", "status=pending+paid": "status",
		"cursor=x": "cursor", "cursor=bm9uc2Vuc2U": "cursor", "cursor=MQ==": "cursor",
	} {
		t.Run(query, func(t *testing.T) {
			f := fixture{t: t, client: f.client}
			f.want(f.do(getAll(alice, query)), 422, field)
		})
	}
}
