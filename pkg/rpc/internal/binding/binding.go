// Package binding reads the input struct of a method from a request, and writes one to a request. Each field comes from
// the one source that its tags name: the JSON body, a parameter of the route, the query or a header.
package binding

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-playground/form/v4"

	"example.com/warren/pkg/rpc/protocol"
)

// Binding is how an input type is read from a request and written to one.
type Binding struct {
	typ    reflect.Type
	body   *shape  // of the fields that come from the body; nil: none
	fields []field // the others
}

// field is an input field that comes from a source other than the body.
type field struct {
	source source
	name   string       // in the source
	key    string       // for decoder and encoder
	typ    reflect.Type // of one value
	list   bool         // it may have several
}

func (f *field) isFloat() bool {
	kind := deref(f.typ).Kind()
	return kind == reflect.Float32 || kind == reflect.Float64
}

// source is a part of a request, named as the tag of its fields.
type source string

const (
	param  source = "param"
	query  source = "query"
	header source = "header"
)

// decoder and encoder convert between fields and url.Values, where keyOf names the fields of all sources.
var decoder, encoder = form.NewDecoder(), form.NewEncoder()

func init() {
	decoder.RegisterTagNameFunc(keyOf)
	encoder.RegisterTagNameFunc(keyOf)
}

// keyOf returns "-" for fields of the body. The form library looks into an embedded struct only if it has a name.
func keyOf(f reflect.StructField) string {
	if from := sourcesOf(f); len(from) > 0 {
		return string(from[0]) + " " + tagName(f, string(from[0]))
	}
	if isEmbedded(f) {
		return f.Name
	}
	return "-"
}

func (s source) get(r *protocol.Request, name string) []string {
	switch s {
	case param:
		if value, ok := r.Params[name]; ok {
			return []string{value}
		}
		return nil
	case query:
		return r.Query[name]
	default:
		return r.Header.Values(name)
	}
}

func (s source) set(r *protocol.Request, name string, values []string) {
	switch s {
	case param:
		r.Params[name] = values[0]
	case query:
		r.Query[name] = values
	default:
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
}

var known sync.Map // reflect.Type → *Binding

// Of returns the binding of an input type, or what is wrong with its tags.
func Of(t reflect.Type) (*Binding, error) {
	loaded, _ := known.Load(t)
	if b, ok := loaded.(*Binding); ok {
		return b, nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("input type %s is not a struct", t)
	}
	b := &Binding{typ: t}
	if err := b.addFields(t); err != nil {
		return nil, fmt.Errorf("input type %s: %w", t, err)
	}
	if err := b.checkTypes(); err != nil {
		return nil, fmt.Errorf("input type %s: %w", t, err)
	}
	if body := shapeOf(t, nil, map[reflect.Type]*shape{}); body.opens == 0 || len(body.fields) > 0 {
		b.body = body
	}
	known.Store(t, b)
	return b, nil
}

// addFields adds the fields of t: the input, or a struct embedded in it.
func (b *Binding) addFields(t reflect.Type) error {
	var errs []error
	for f := range t.Fields() {
		if isEmbedded(f) {
			errs = append(errs, b.addFields(f.Type))
			continue
		}
		if err := b.addField(f); err != nil {
			errs = append(errs, fmt.Errorf("field %s: %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (b *Binding) addField(f reflect.StructField) error {
	from := sourcesOf(f)
	switch {
	case len(from) == 0:
		return nil
	case len(from) > 1:
		return fmt.Errorf("both of %s and %s", from[0], from[1])
	case !f.IsExported():
		return fmt.Errorf("it has a %s tag and is not exported", from[0])
	case f.Tag.Get("json") != "-":
		return fmt.Errorf("it has a %s tag and so needs `json:\"-\"`, or the body could set it", from[0])
	case !isBindable(f.Type, from[0] != param):
		return fmt.Errorf("a %s can't be of type %s", from[0], f.Type)
	}
	bound := field{source: from[0], name: tagName(f, string(from[0])), key: keyOf(f), typ: f.Type}
	if bound.list = f.Type.Kind() == reflect.Slice; bound.list {
		bound.typ = f.Type.Elem()
	}
	b.fields = append(b.fields, bound)
	return nil
}

func sourcesOf(f reflect.StructField) []source {
	return slices.DeleteFunc([]source{param, query, header}, func(s source) bool { return tagName(f, string(s)) == "" })
}

func tagName(f reflect.StructField, tag string) string {
	name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
	return name
}

var timeType = reflect.TypeFor[time.Time]()

// isEmbedded reports whether f is a struct whose fields count as those of the struct around it, as in encoding/json.
func isEmbedded(f reflect.StructField) bool {
	return f.Anonymous && f.Type.Kind() == reflect.Struct && tagName(f, "json") == "" && f.Type != timeType
}

// isBindable reports whether a field of the type can be made of a string or, if lists are allowed, of several.
func isBindable(t reflect.Type, lists bool) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return isBindable(t.Elem(), false) && t.Elem().Kind() != reflect.Pointer
	case reflect.Slice:
		return lists && t.Elem().Kind() != reflect.Pointer && isBindable(t.Elem(), false)
	case reflect.Struct:
		return t == timeType
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	default:
		return false
	}
}

// checkTypes checks the input type and every struct type that its values may hold.
func (b *Binding) checkTypes() error {
	var errs []error
	seen := map[reflect.Type]bool{}
	var check func(t reflect.Type, input bool)
	check = func(t reflect.Type, input bool) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			check(t.Elem(), false)
		case reflect.Struct:
			if seen[t] || t == timeType {
				return
			}
			seen[t] = true
			errs = append(errs, checkValidation(t))
			for f := range t.Fields() {
				if from := sourcesOf(f); !input && len(from) > 0 {
					errs = append(errs, fmt.Errorf("field %s of %s: only the input's own fields can have a %s tag", f.Name, t, from[0]))
				}
				check(f.Type, input && isEmbedded(f))
			}
		}
	}
	check(b.typ, true)
	return errors.Join(errs...)
}

// Decode fills in, a pointer to a value of the input type, and validates it. What the caller did wrong is a
// *protocol.Error, which names all wrong fields.
func (b *Binding) Decode(r *protocol.Request, in any) error {
	var wrong []protocol.FieldError
	if b.body != nil && len(r.Body) > 0 {
		var err error
		if wrong, err = b.decodeBody(r, in); err != nil {
			return err
		}
	}
	fields, err := b.decodeFields(r, in)
	if err != nil {
		return err
	}
	wrong = append(wrong, fields...)
	broken, err := b.validate(in)
	if err != nil {
		return err
	}
	for _, f := range broken {
		// A field that could not be decoded is empty, and breaks rules for that reason only.
		if !slices.ContainsFunc(wrong, func(w protocol.FieldError) bool { return contains(w.Field, f.Field) }) {
			wrong = append(wrong, f)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return invalidInput(wrong[:min(len(wrong), maxFieldErrors)]...)
}

// contains reports whether the path of a field is that of outer, or of a field in it.
func contains(outer, field string) bool {
	rest, ok := strings.CutPrefix(field, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// decodeFields decodes the fields of all sources but the body, and returns the wrong ones. It gives the form library only the
// names of fields, since the library panics on names with unbalanced brackets.
func (b *Binding) decodeFields(r *protocol.Request, in any) (fields []protocol.FieldError, err error) {
	values := make(url.Values, len(b.fields))
	for _, f := range b.fields {
		texts := f.source.get(r, f.name)
		switch {
		case len(texts) > 1 && !f.list:
			// To take the first would leave the caller to guess which of them counts.
			fields = append(fields, protocol.FieldError{Field: f.name, Message: "must be given once"})
		case slices.ContainsFunc(texts, func(text string) bool { return !utf8.ValidString(text) }):
			fields = append(fields, protocol.FieldError{Field: f.name, Message: "must be UTF-8"})
		case f.isFloat() && slices.ContainsFunc(texts, func(text string) bool { return strings.ContainsAny(text, "nNxX") }):
			// The library takes NaN, Inf and 0x1p-2, which JSON does not have.
			fields = append(fields, protocol.FieldError{Field: f.name, Message: typeMessage(f.typ)})
		case len(texts) > 0:
			values[f.key] = texts
		}
	}
	if len(values) == 0 {
		return fields, nil
	}
	err = decoder.Decode(in, values)
	wrong, ok := errors.AsType[form.DecodeErrors](err)
	if err != nil && !ok {
		return nil, fmt.Errorf("decode the fields: %w", err)
	}
	for _, f := range b.fields {
		if wrong[f.key] != nil {
			fields = append(fields, protocol.FieldError{Field: f.name, Message: typeMessage(f.typ)})
		}
	}
	return fields, nil
}

// Encode writes in, a value of the input type, to a request.
func (b *Binding) Encode(in any) (*protocol.Request, error) {
	r := &protocol.Request{}
	if b.body != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("marshal the input: %w", err)
		}
		r.ContentType, r.Body = "application/json", body
	}
	if len(b.fields) > 0 {
		return r, b.encodeFields(r, in)
	}
	return r, nil
}

func (b *Binding) encodeFields(r *protocol.Request, in any) error {
	values, err := encoder.Encode(in)
	if err != nil {
		return fmt.Errorf("encode the fields: %w", err)
	}
	r.Params, r.Query, r.Header = map[string]string{}, url.Values{}, http.Header{}
	for _, f := range b.fields {
		if texts := values[f.key]; len(texts) > 0 {
			f.source.set(r, f.name, texts)
		}
	}
	return nil
}
