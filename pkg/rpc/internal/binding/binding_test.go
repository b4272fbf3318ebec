package binding

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/rpc/protocol"
)

// page is embedded in the input.
type page struct {
	Limit  int    `json:"-" query:"limit" validate:"omitempty,min=1,max=100"`
	Cursor string `json:"cursor" validate:"max=5"`
}

type line struct {
	SKU      string `json:"sku" validate:"required"`
	Quantity int    `json:"quantity" validate:"min=1"`
}

type input struct {
	page

	Shop   string    `json:"-" param:"shop" validate:"required"`
	Number int64     `json:"-" param:"number"`
	Dry    *bool     `json:"-" query:"dry"`
	Tags   []string  `json:"-" query:"tag" validate:"max=2"`
	Sizes  []uint8   `json:"-" query:"size"`
	Since  time.Time `json:"-" query:"since"`
	Weight float64   `json:"-" header:"x-weight"`
	Key    string    `json:"-" header:"Idempotency-Key"`
	Name   string    `json:"name" validate:"omitempty,min=2"`
	Lines  []line    `json:"lines" validate:"max=3,dive"`
	Note   *string   `json:"note"`
}

func inputBinding(t testing.TB) *Binding {
	t.Helper()
	b, err := Of(reflect.TypeFor[input]())
	noError(t, err)
	return b
}

func TestDecodeInput(t *testing.T) {
	yes, note := true, "n"
	request := &protocol.Request{
		Params: map[string]string{"shop": "7", "number": "-12", "name": "param", "Key": "param"},
		Query: url.Values{
			"limit": {"10"}, "dry": {"true"}, "tag": {"a", "b"}, "size": {"1", "255"}, "since": {"2026-03-01T12:00:00Z"},
			"shop": {"query"}, "Shop": {"query"}, "name": {"query"}, "Idempotency-Key": {"query"}, "odd]": {"1"}, "tag[99999999]": {"1"},
		},
		Header:      http.Header{"Idempotency-Key": {"k"}, "X-Weight": {"1.5"}, "Shop": {"header"}, "Limit": {"header"}},
		ContentType: "application/json; charset=utf-8",
		Body: []byte(`{"name":"body","lines":[{"sku":"A","quantity":2}],"note":"n","cursor":"c","unknown":1,
			"Shop":"body","shop":"body","Key":"body","Limit":99,"Number":99,"page":{"Cursor":"x"}}`),
	}
	want := input{
		page: page{Limit: 10, Cursor: "c"}, Shop: "7", Number: -12, Dry: &yes, Tags: []string{"a", "b"}, Sizes: []uint8{1, 255},
		Since: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Weight: 1.5, Key: "k", Name: "body",
		Lines: []line{{SKU: "A", Quantity: 2}}, Note: &note,
	}
	var got input
	noError(t, inputBinding(t).Decode(request, &got))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(input{}, page{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDecodeWrongInput(t *testing.T) {
	fields := func(pairs ...string) *protocol.Error {
		e := protocol.NewError(http.StatusUnprocessableEntity, "invalid input")
		for i := 0; i < len(pairs); i += 2 {
			e.Fields = append(e.Fields, protocol.FieldError{Field: pairs[i], Message: pairs[i+1]})
		}
		return e
	}
	shop := map[string]string{"shop": "7"}
	body := func(s string) *protocol.Request {
		return &protocol.Request{Params: shop, ContentType: "application/json", Body: []byte(s)}
	}
	query := func(pairs ...string) *protocol.Request {
		q := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			q.Add(pairs[i], pairs[i+1])
		}
		return &protocol.Request{Params: shop, Query: q}
	}
	tests := []struct {
		name    string
		request *protocol.Request
		want    *protocol.Error
	}{
		{"nothing at all", &protocol.Request{}, fields("shop", "is required")},
		{"no JSON", body(`{"name":`), protocol.NewError(http.StatusBadRequest, "malformed JSON at byte 8, in name: unexpected EOF")},
		{"trailing data", body(`{} {}`),
			protocol.NewError(http.StatusBadRequest, "malformed JSON at byte 4: invalid character '{' after top-level value")},
		{"an array", body(`[]`), protocol.NewError(http.StatusUnprocessableEntity, "the body is not a JSON object")},
		{"a number", body(`1`), protocol.NewError(http.StatusUnprocessableEntity, "the body is not a JSON object")},
		{"null", body(`null`), nil},
		{"no content type", &protocol.Request{Params: shop, Body: []byte(`{}`)}, nil},
		{"a JSON content type", &protocol.Request{Params: shop, ContentType: "application/merge-patch+json", Body: []byte(`{}`)}, nil},
		{"another content type", &protocol.Request{Params: shop, ContentType: "text/plain", Body: []byte(`{}`)},
			protocol.NewError(http.StatusUnsupportedMediaType, `the body is "text/plain", not JSON in UTF-8`)},
		{"a broken content type", &protocol.Request{Params: shop, ContentType: "application/json; charset", Body: []byte(`{}`)},
			protocol.NewError(http.StatusUnsupportedMediaType, `the body is "application/json; charset", not JSON in UTF-8`)},
		{"another content type without a body", &protocol.Request{Params: shop, ContentType: "text/plain"}, nil},
		{"a string for a number", body(`{"lines":[{"sku":"A","quantity":"2"}]}`),
			fields("lines[0].quantity", "must be an integer of at most 64 bits")},
		{"a number for a string", body(`{"name":1}`), fields("name", "must be a string")},
		{"an object for an array", body(`{"lines":{}}`), fields("lines", "must be an array")},
		{"a number for a string in an embedded struct", body(`{"cursor":1}`), fields("cursor", "must be a string")},
		{"wrong types, broken rules and wrong queries at once", &protocol.Request{
			Params: map[string]string{"number": "x"}, Query: url.Values{"limit": {"101"}, "dry": {"a", "b"}},
			Body: []byte(`{"name":1,"cursor":"abcdef","lines":[{"sku":"","quantity":"2"},[],{"sku":{},"quantity":1.5}],"note":[]}`),
		}, fields(
			"name", "must be a string",
			"lines[0].quantity", "must be an integer of at most 64 bits",
			"lines[1]", "must be an object",
			"lines[2].sku", "must be a string",
			"lines[2].quantity", "must be an integer of at most 64 bits",
			"note", "must be a string",
			"dry", "must be given once",
			"number", "must be an integer of at most 64 bits",
			"limit", "must be at most 100",
			"cursor", "must have at most 5 characters",
			"shop", "is required",
			"lines[0].sku", "is required",
		)},
		{"broken rules", body(`{"name":"x","cursor":"abcdef","lines":[{"quantity":0},{"sku":"A","quantity":-1}]}`), fields(
			"cursor", "must have at most 5 characters",
			"name", "must have at least 2 characters",
			"lines[0].sku", "is required",
			"lines[0].quantity", "must be at least 1",
			"lines[1].quantity", "must be at least 1",
		)},
		{"a broken rule in an embedded struct", query("limit", "101"), fields("limit", "must be at most 100")},
		{"too many values", query("tag", "a", "tag", "b", "tag", "c"), fields("tag", "must have at most 2 items")},
		{"a value given twice", query("limit", "1", "limit", "2"), fields("limit", "must be given once")},
		{"a header given twice", &protocol.Request{Params: shop, Header: http.Header{"Idempotency-Key": {"a", "b"}}},
			fields("Idempotency-Key", "must be given once")},
		{"wrong queries", query("limit", "ten", "dry", "perhaps", "size", "1", "size", "256", "since", "now"), fields(
			"limit", "must be an integer of at most 64 bits",
			"dry", "must be true or false",
			"size", "must be an integer of at most 8 bits, not negative",
			"since", "must be a time like 2006-01-02T15:04:05Z",
		)},
		{"a wrong param", &protocol.Request{Params: map[string]string{"shop": "7", "number": "1e3"}},
			fields("number", "must be an integer of at most 64 bits")},
		{"a wrong header", &protocol.Request{Params: shop, Header: http.Header{"X-Weight": {"heavy"}}}, fields("x-weight", "must be a number")},
		{"not a number", &protocol.Request{Params: shop, Header: http.Header{"X-Weight": {"NaN"}}}, fields("x-weight", "must be a number")},
		{"infinite", &protocol.Request{Params: shop, Header: http.Header{"X-Weight": {"-inf"}}}, fields("x-weight", "must be a number")},
		{"hexadecimal", &protocol.Request{Params: shop, Header: http.Header{"X-Weight": {"0X1p-2"}}}, fields("x-weight", "must be a number")},
		{"an exponent", &protocol.Request{Params: shop, Header: http.Header{"X-Weight": {"1E-2"}}}, nil},
		{"an empty value", query("limit", ""), nil},
		{"a query that is not UTF-8", query("tag", "a", "tag", "\xff"), fields("tag", "must be UTF-8")},
		{"a param that is not UTF-8", &protocol.Request{Params: map[string]string{"shop": "\xc3"}}, fields("shop", "must be UTF-8")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var in input
			err := inputBinding(t).Decode(test.request, &in)
			if test.want == nil {
				noError(t, err)
				return
			}
			got := asError(t, err)
			got = &protocol.Error{Status: got.Status, Reason: got.Reason, Detail: got.Detail, Fields: got.Fields}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(protocol.Error{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFieldErrorsAreBounded(t *testing.T) {
	type list struct {
		Lines []line `json:"lines" validate:"dive"`
	}
	b, err := Of(reflect.TypeFor[list]())
	noError(t, err)
	var in list
	for _, item := range []string{"{}", "1", `{"sku":1,"quantity":""}`} {
		body := `{"lines":[` + strings.Repeat(item+",", maxItems-1) + item + `]}`
		if got := len(asError(t, b.Decode(&protocol.Request{Body: []byte(body)}, &in)).Fields); got != maxFieldErrors {
			t.Errorf("%s: %d field errors, want %d", item, got, maxFieldErrors)
		}
	}
}

func TestRuleMessages(t *testing.T) {
	type rules struct {
		ID       string         `json:"id" validate:"uuid"`
		Email    string         `json:"email" validate:"email"`
		URL      string         `json:"url" validate:"url"`
		Status   string         `json:"status" validate:"oneof=open closed"`
		Code     string         `json:"code" validate:"len=3"`
		Currency string         `json:"currency" validate:"iso4217"`
		Name     string         `json:"name" validate:"alphanum"`
		Print    string         `json:"print" validate:"printascii"`
		Spaces   string         `json:"spaces" validate:"excludes= "`
		Small    int            `json:"small" validate:"lt=0"`
		Large    float64        `json:"large" validate:"gt=0.5"`
		Exact    int            `json:"exact" validate:"eq=2"`
		Set      []string       `json:"set" validate:"unique"`
		Map      map[string]int `json:"map" validate:"min=2"`
		Until    time.Time      `json:"until" validate:"gt"`
		Other    string         `json:"other" validate:"required_with=Name"`
		Nested   struct {
			Deep *int `json:"deep" validate:"required"`
		} `json:"nested"`
	}
	b, err := Of(reflect.TypeFor[rules]())
	noError(t, err)
	var in rules
	err = b.Decode(&protocol.Request{Body: []byte(`{"name":"-","print":"é","spaces":" ","set":["a","a"],"map":{"a":1}}`)}, &in)
	want := []protocol.FieldError{
		{Field: "id", Message: "must be a UUID"},
		{Field: "email", Message: "must be an email address"},
		{Field: "url", Message: "must be a URL"},
		{Field: "status", Message: "must be one of open, closed"},
		{Field: "code", Message: "must have exactly 3 characters"},
		{Field: "currency", Message: "must be a currency code like EUR"},
		{Field: "name", Message: "must have letters and digits only"},
		{Field: "print", Message: "must have visible ASCII characters only"},
		{Field: "spaces", Message: "has a character that it must not have"},
		{Field: "small", Message: "must be less than 0"},
		{Field: "large", Message: "must be more than 0.5"},
		{Field: "exact", Message: "must be exactly 2"},
		{Field: "set", Message: "must not repeat a value"},
		{Field: "map", Message: "must have at least 2 items"},
		{Field: "until", Message: "is not valid"},
		{Field: "other", Message: "is not valid"},
		{Field: "nested.deep", Message: "is required"},
	}
	if diff := cmp.Diff(want, asError(t, err).Fields); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBadInputTypes(t *testing.T) {
	type nested struct {
		ID string `json:"-" query:"id"`
	}
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"not a struct", 0, "int is not a struct"},
		{"no json tag", struct {
			ID string `param:"id"`
		}{}, "field ID: it has a param tag and so needs `json:\"-\"`"},
		{"a json name", struct {
			ID string `json:"id" query:"id"`
		}{}, "field ID: it has a query tag and so needs `json:\"-\"`"},
		{"two sources", struct {
			ID string `json:"-" param:"id" header:"id"`
		}{}, "field ID: both of param and header"},
		{"not exported", struct {
			id string `param:"id"`
		}{}, "field id: it has a param tag and is not exported"},
		{"a map", struct {
			ID map[string]string `json:"-" query:"id"`
		}{}, "field ID: a query can't be of type map[string]string"},
		{"a list of parameters", struct {
			ID []string `json:"-" param:"id"`
		}{}, "field ID: a param can't be of type []string"},
		{"a list of lists", struct {
			ID [][]string `json:"-" query:"id"`
		}{}, "field ID: a query can't be of type [][]string"},
		{"a pointer to a pointer", struct {
			ID **string `json:"-" query:"id"`
		}{}, "field ID: a query can't be of type **string"},
		{"a nested tag", struct {
			Items []*nested `json:"items"`
		}{}, "field ID of binding.nested: only the input's own fields can have a query tag"},
		{"an unknown rule", struct {
			ID string `json:"id" validate:"requierd"`
		}{}, "validate tags of"},
		{"an unknown nested rule", struct {
			Items map[string][]struct {
				ID string `json:"id" validate:"requierd"`
			} `json:"items"`
		}{}, "validate tags of"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Of(reflect.TypeOf(test.in))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestRecursiveInput(t *testing.T) {
	type tree struct {
		Name     string  `json:"name" validate:"required"`
		Children []*tree `json:"children" validate:"dive"`
	}
	b, err := Of(reflect.TypeFor[tree]())
	noError(t, err)
	var in tree
	err = b.Decode(&protocol.Request{Body: []byte(`{"name":"a","children":[{"name":"b","children":[{}]}]}`)}, &in)
	if got := asError(t, err).Fields; len(got) != 1 || got[0].Field != "children[0].children[0].name" {
		t.Errorf("got %v", got)
	}
}

// asError returns the error that the caller sees.
func asError(t *testing.T, err error) *protocol.Error {
	t.Helper()
	e, ok := errors.AsType[*protocol.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *protocol.Error", err)
	}
	return e
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
