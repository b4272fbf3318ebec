package binding

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/rpc/protocol"
)

// base has names that shapes hides, and one that it does not.
type base struct {
	Hidden int   `json:"hidden"`
	Plain  []int `validate:"max=2"`
}

// Line is exported because encoding/json allocates no embedded struct that is not.
type Line line

// shapes is an input with each kind of field.
type shapes struct {
	base
	*Line

	Hidden  string                      `json:"hidden"`
	Lists   [][]int                     `json:"lists" validate:"max=3,dive,lte=2"`
	Prices  map[string]int              `json:"prices" validate:"len=2,dive,keys,max=1,endkeys,max=9"`
	Sets    map[string][]int            `json:"sets" validate:"dive,keys,max=1,endkeys"`
	Pair    [2]int                      `json:"pair"`
	Wait    time.Duration               `json:"wait"`
	At      *time.Time                  `json:"at"`
	Quoted  int                         `json:"quoted,string"`
	Bytes   []byte                      `json:"bytes"`
	Any     any                         `json:"any"`
	Raw     json.RawMessage             `json:"raw"`
	Address netip.Addr                  `json:"address"`
	Next    *shapes                     `json:"next"`
	Nested  map[string]map[string]*base `json:"nested"`
	Ignored []int                       `json:"-"`
	_       struct{ Unexported []string }
}

func TestBodies(t *testing.T) {
	b, err := Of(reflect.TypeFor[shapes]())
	noError(t, err)
	repeat := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	members := func(n int) string {
		var names strings.Builder
		for i := range n {
			names.WriteString(`"` + strings.Repeat("n", i) + `":1,`)
		}
		return strings.TrimSuffix(names.String(), ",")
	}
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name, body string
		status     int    // 200: accepted
		want       string // of the detail, or all fields at fault
	}{
		{"each kind", `{"hidden":"h","Plain":[1,2],"sku":"A","quantity":1,"lists":[[1,2],[],null],"prices":{"a":1,"b":2},"sets":{"a":[1,2]},
			"pair":[1,2],"wait":5,"at":"2026-03-01T12:00:00Z","quoted":"5","bytes":"AAE=","any":{"a":[{}]},"raw":[1],
			"nested":{"a":{"b":{"hidden":1}}},"Ignored":1}`, 200, ""},

		// RFC 8259, section 4, and RFC 7493, section 2.3
		{"a name twice", `{"hidden":"a","hidden":"b"}`, 400, "malformed JSON at byte 14, in hidden: duplicate object member name"},
		{"a name twice, once escaped", `{"hidden":"a","hi\u0064den":"b"}`, 400, "in hidden: duplicate object member name"},
		{"a list twice", `{"lists":[[1]],"lists":[]}`, 400, "in lists: duplicate object member name"},
		{"a nested name twice", `{"nested":{"a":{"b":{"Plain":[],"Plain":[]}}}}`, 400, "in nested[a][b].Plain: duplicate object member name"},
		{"a name twice in a map", `{"prices":{"a":1,"a":2}}`, 400, "in prices[a]: duplicate object member name"},
		{"a name twice in a list", `{"next":{"lists":[],"any":[{"a":1,"a":2}]}}`, 400, "in next.any.0.a: duplicate object member name"},
		{"an unknown name twice", `{"x":1,"x":1}`, 400, "in x: duplicate object member name"},
		{"a name twice in an unknown value", `{"x":[{"y":1,"y":1}]}`, 400, "in x.0.y: duplicate object member name"},
		{"the empty name twice", `{"":1,"":1}`, 400, "duplicate object member name"},
		{"a name in two cases", `{"hidden":"a","Hidden":"b"}`, 400, `Hidden must be written "hidden": names are case-sensitive`},
		{"a name in another case", `{"HIDDEN":"b"}`, 400, `HIDDEN must be written "hidden"`},
		{"a name of an embedded struct in another case", `{"plain":[]}`, 400, `plain must be written "Plain"`},
		{"a nested name in another case", `{"nested":{"A":{"b":{"HIDDEN":1}}}}`, 400, `nested[A][b].HIDDEN must be written "hidden"`},
		{"a name with a long s", `{"\u017fku":"A"}`, 400, `ſku must be written "sku"`}, // ſ equals s if the case does not count
		{"a name with the sign of kelvin", `{"sKu":"A"}`, 400, `sKu must be written "sku"`},
		{"keys of a map in two cases", `{"prices":{"a":1,"A":2}}`, 200, ""},
		{"unknown names in two cases", `{"x":1,"X":2}`, 200, ""},

		// RFC 8259, section 8
		{"invalid UTF-8", "{\"hidden\":\"a\xff\"}", 400, "in hidden: invalid UTF-8"},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", 400, "invalid UTF-8"},
		{"invalid UTF-8 in an unknown value", "{\"x\":[\"\xff\"]}", 400, "in x.0: invalid UTF-8"},
		{"invalid UTF-8 between values", "{\"x\":1\xff}", 400, "malformed JSON"},
		{"an encoded surrogate", "{\"hidden\":\"\xed\xa0\x80\"}", 400, "invalid UTF-8"},
		{"an overlong form", "{\"hidden\":\"\xc0\xaf\"}", 400, "invalid UTF-8"},
		{"a high surrogate alone", `{"hidden":"\ud800"}`, 400, "in hidden: invalid surrogate pair"},
		{"a low surrogate alone", `{"hidden":"\udc00"}`, 400, "in hidden: invalid surrogate pair"},
		{"a low surrogate first", `{"hidden":"\udc00\ud800"}`, 400, "invalid surrogate pair"},
		{"a surrogate alone in a name", `{"\ud800":1}`, 400, "invalid surrogate pair"},
		{"a pair of surrogates", `{"hidden":"\ud83d\ude00"}`, 200, ""},
		{"a replacement character", `{"hidden":"` + "\ufffd" + `\ufffd"}`, 200, ""},
		{"a byte order mark", "\ufeff{}", 400, "malformed JSON at byte 0"},
		{"UTF-16", "{\x00}\x00", 400, "malformed JSON at byte 1"},

		{"no body but spaces", "  ", 400, "malformed JSON at byte 2: unexpected end of JSON input"},
		{"the wrong end", `{"lists":[}`, 400, "malformed JSON at byte 10"},
		{"two values", `{}{}`, 400, "malformed JSON at byte 3"},

		// The bounds of lists, before they are decoded
		{"a list over its max", `{"lists":[[],[],[],[]]}`, 422, "lists: must have at most 3 items"},
		{"a list over its max, broken after that", `{"lists":[[],[],[],[],`, 422, "lists: must have at most 3 items"},
		{"an inner list over its max", `{"lists":[[],[1,2,3]]}`, 422, "lists[1]: must have at most 2 items"},
		{"a list in an embedded struct over its max", `{"Plain":[1,2,3]}`, 422, "Plain: must have at most 2 items"},
		{"a list in a recursive struct over its max", `{"next":{"next":{"Plain":[1,2,3]}}}`, 422, "next.next.Plain: must have at most 2 items"},
		{"a map over its length", `{"prices":{"a":1,"b":2,"c":3}}`, 422, "prices: must have at most 2 items"},
		{"a list without a max", `{"sets":{"a":[` + repeat("1", maxItems) + `]}}`, 200, ""},
		{"a long list without a max", `{"sets":{"a":[` + repeat("1", maxItems+1) + `]}}`, 422, "sets[a]: must have at most 1000 items"},
		{"a long list of any type", `{"any":[` + repeat("1", maxItems+1) + `]}`, 422, "any: must have at most 1000 items"},
		{"a long list in a string's place", `{"hidden":[` + repeat("1", maxItems+1) + `]}`, 422, "hidden: must have at most 1000 items"},
		{"a long unknown list", `{"x":{"y":[` + repeat("{}", maxItems+1) + `]}}`, 422, "x.y: must have at most 1000 items"},
		{"many members", `{` + members(maxItems) + `}`, 200, ""},
		{"too many members", `{` + members(maxItems+1) + `}`, 422, "the body must have at most 1000 items"},
		{"too many members of an unknown value", `{"x":{` + members(maxItems+1) + `}}`, 422, "x: must have at most 1000 items"},
		{"too many members for a list", `{"lists":{"a":1,"b":1,"c":1,"d":1}}`, 422, "lists: must have at most 3 items"},
		{"deep", `{"x":` + nested(maxDepth-1) + `}`, 200, ""},
		{"too deep", `{"x":` + nested(maxDepth) + `}`, 400, "the body is nested more than 100 deep at byte 105"},

		// All values of wrong types
		{"wrong types", `{"hidden":1,"Plain":[1,"2"],"sku":[],"lists":[[1,"x"],2,{}],"prices":{"a":"","b":[]},
			"sets":[],"pair":[1,true],"wait":"5s","at":"now","address":"here","bytes":"-","raw":"","next":{"next":"x","Plain":{}},
			"nested":{"a":{"b":{"hidden":""},"c":0},"b":null}}`, 422,
			"hidden: must be a string; Plain[1]: must be an integer of at most 64 bits; sku: must be a string; " +
				"lists[0][1]: must be an integer of at most 64 bits; lists[1]: must be an array; lists[2]: must be an array; " +
				"prices[a]: must be an integer of at most 64 bits; prices[b]: must be an integer of at most 64 bits; " +
				"sets: must be an object; pair[1]: must be an integer of at most 64 bits; wait: must be an integer of at most 64 bits; " +
				"at: must be a time like 2006-01-02T15:04:05Z; address: is not valid; bytes: must be base64 in a string; " +
				"next.next: must be an object; next.Plain: must be an array; " +
				"nested[a][b].hidden: must be an integer of at most 64 bits; nested[a][c]: must be an object"},
		{"an integer out of range", `{"quantity":9223372036854775808}`, 422, "quantity: must be an integer of at most 64 bits"},
		{"a number in place of a quoted one", `{"quoted":5}`, 422, "the body has a value that can't be read"},
		{"a long name", `{"nested":{"` + strings.Repeat("é", 1000) + `":1}}`, 422,
			"nested[" + strings.Repeat("é", (maxPath-len("nested["))/2) + "…: must be an object"},
		{"a long name twice", `{"` + strings.Repeat("é", 1000) + `":1,"` + strings.Repeat("é", 1000) + `":1}`, 400,
			"in " + strings.Repeat("é", maxPath/2) + "…: duplicate object member name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request := &protocol.Request{Body: []byte(test.body)}
			var in shapes
			if _, err := b.decodeBody(request, &in); test.status == 200 {
				noError(t, err)
				return
			}
			wrong, err := b.decodeBody(request, &in)
			if err == nil {
				err = invalidInput(wrong...)
			}
			got := asError(t, err)
			var texts []string
			for _, f := range got.Fields {
				texts = append(texts, f.Field+": "+f.Message)
			}
			text := strings.Join(texts, "; ")
			if got.Status != test.status || !strings.Contains(got.Detail, test.want) && text != test.want {
				t.Errorf("got %d %s %s\nwant %d %s", got.Status, got.Detail, text, test.status, test.want)
			}
		})
	}
}

func TestContentOfBodies(t *testing.T) {
	for _, contentType := range []string{
		"application/json; charset=utf-8", `application/json;charset="UTF-8"`, "application/json; charset=utf8",
		"application/json; charset=US-ASCII", "application/vnd.shop+json; v=1",
	} {
		var in shapes
		if err := decodeShapes(&protocol.Request{ContentType: contentType, Body: []byte("{}")}, &in); err != nil {
			t.Errorf("%s: %v", contentType, err)
		}
	}
	for _, contentType := range []string{
		"application/json; charset=iso-8859-1", "application/json; charset=utf-16", "application/json;charset=utf-8;charset=utf-16",
		"application/vnd.shop+json; charset=windows-1252", "application/jsonl", "text/json", "json",
	} {
		var in shapes
		err := decodeShapes(&protocol.Request{ContentType: contentType, Body: []byte("{}")}, &in)
		if got := asError(t, err); got.Status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %v", contentType, got)
		}
	}
	for coding, accepted := range map[string]bool{
		"": true, "identity": true, "Identity": true, "gzip": false, "br": false, "gzip, identity": false, "identity|gzip": false, "utf-8": false,
	} {
		var in shapes
		err := decodeShapes(&protocol.Request{Header: http.Header{"Content-Encoding": strings.Split(coding, "|")}, Body: []byte("{}")}, &in)
		if accepted {
			noError(t, err)
			continue
		}
		if got := asError(t, err); got.Status != http.StatusUnsupportedMediaType || got.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s: %v, header %v", coding, got, got.Header)
		}
	}
}

func decodeShapes(r *protocol.Request, in *shapes) error {
	b, err := Of(reflect.TypeFor[shapes]())
	if err != nil {
		return err
	}
	_, err = b.decodeBody(r, in)
	return err
}

// A body within the broker's limit must not take much more memory than it has bytes itself.
func TestMemoryOfBodies(t *testing.T) {
	b := inputBinding(t)
	const size = 1 << 20
	fill := func(begin, item, end string) []byte {
		return []byte(begin + strings.TrimSuffix(strings.Repeat(item, size/len(item)), ",") + end)
	}
	for name, body := range map[string][]byte{
		"items":                      fill(`{"lines":[`, `{},`, `]}`),
		"items of the wrong type":    fill(`{"lines":[`, `0,`, `]}`),
		"items of an unknown list":   fill(`{"x":[`, `{},`, `]}`),
		"items of an array":          fill(`[`, `{},`, `]`),
		"members of the same name":   fill(`{`, `"a":0,`, `}`),
		"lists in lists":             fill(`{"x":`, `[`, ``),
		"objects in objects":         fill(``, `{"a":`, ``),
		"lists of ten lists":         fill(`{"x":[`, `[[],[],[],[],[],[],[],[],[],[]],`, `]}`),
		"spaces":                     fill(`{`, ` `, ``),
		"members of different names": differentNames(size),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var in input
			err := b.Decode(&protocol.Request{Body: body}, &in)
			runtime.ReadMemStats(&after)
			asError(t, err)
			if got := after.TotalAlloc - before.TotalAlloc; got > size/4 {
				t.Errorf("%d bytes allocated", got)
			}
		})
	}
}

func differentNames(size int) []byte {
	body := []byte{'{'}
	for i := 0; len(body) < size; i++ {
		body = append(body, '"')
		for n := i; n > 0; n /= 26 {
			body = append(body, byte('a'+n%26))
		}
		body = append(body, `":0,`...)
	}
	return append(body, `"":0}`...)
}

// FuzzDecode compares with a reader that is as strict: what is accepted is valid, and decodes to the same input.
func FuzzDecode(f *testing.F) {
	f.Add(`{"name":"n","lines":[{"sku":"A","quantity":2}],"note":null,"cursor":"c"}`, "application/json", "", "7", "10")
	f.Add(`{"lines":[{"quantity":"2"},[]],"name":1}`, "application/json; charset=utf-8", "identity", "7", "x")
	f.Add(`{"name":"\ud800","Name":"n","name":"n"}`, "", "gzip", "\xff", "")
	f.Fuzz(func(t *testing.T, body, contentType, coding, shop, limit string) {
		var in input
		err := inputBinding(t).Decode(&protocol.Request{
			Params: map[string]string{"shop": shop}, Query: url.Values{"limit": {limit}},
			Header: http.Header{"Content-Encoding": {coding}}, ContentType: contentType, Body: []byte(body),
		}, &in)
		if wrong, ok := errors.AsType[*protocol.Error](err); ok {
			for _, field := range wrong.Fields {
				if field.Field == "" || field.Message == "" {
					t.Errorf("%+v", wrong.Fields)
				}
			}
			return
		}
		noError(t, err) // any error is the caller's
		if body == "" {
			return
		}
		if !jsontext.Value(body).IsValid() {
			t.Errorf("accepted %q", body)
		}
		var want input
		noError(t, strict.Unmarshal([]byte(body), &want))
		got := input{page: page{Cursor: in.Cursor}, Name: in.Name, Lines: in.Lines, Note: in.Note}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(input{}, page{})); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
