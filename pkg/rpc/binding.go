package rpc

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

	"github.com/go-playground/form/v4"
)

// source is a part of a request, other than the body, that input fields come from.
type source struct {
	tag     string
	decoder *form.Decoder
	encoder *form.Encoder
	get     func(r *Request, name string) []string
	set     func(r *Request, name string, values []string)
}

var sources = []*source{
	newSource("param",
		func(r *Request, name string) []string {
			if value, ok := r.Params[name]; ok {
				return []string{value}
			}
			return nil
		},
		func(r *Request, name string, values []string) {
			if r.Params == nil {
				r.Params = map[string]string{}
			}
			r.Params[name] = values[0]
		}),
	newSource("query",
		func(r *Request, name string) []string { return r.Query[name] },
		func(r *Request, name string, values []string) {
			if r.Query == nil {
				r.Query = url.Values{}
			}
			r.Query[name] = values
		}),
	newSource("header",
		func(r *Request, name string) []string { return r.Header.Values(name) },
		func(r *Request, name string, values []string) {
			if r.Header == nil {
				r.Header = http.Header{}
			}
			r.Header[http.CanonicalHeaderKey(name)] = values
		}),
}

func newSource(tag string, get func(*Request, string) []string, set func(*Request, string, []string)) *source {
	s := &source{tag: tag, decoder: form.NewDecoder(), encoder: form.NewEncoder(), get: get, set: set}
	s.decoder.RegisterTagNameFunc(s.name)
	s.encoder.RegisterTagNameFunc(s.name)
	return s
}

// name tells the form library which fields are s's. An embedded struct needs some name to be looked into.
func (s *source) name(f reflect.StructField) string {
	if tag := f.Tag.Get(s.tag); tag != "" {
		return tag
	}
	if isEmbedded(f) {
		return f.Name
	}
	return "-"
}

// binding is how an input struct is read from a request, and written to one. It is made once for a type.
type binding struct {
	typ    reflect.Type
	body   bool                     // some fields come from the body
	fields map[*source][]boundField // the others

	// embedded are the Go names of embedded structs, which encoding/json puts into the paths of fields.
	embedded map[string]bool
}

// boundField is an input field that does not come from the body.
type boundField struct {
	name string // in its source
	typ  reflect.Type
}

var bindings sync.Map // reflect.Type → *binding

// bindingOf returns the binding of an input type, or what is wrong with its tags.
func bindingOf(t reflect.Type) (*binding, error) {
	known, _ := bindings.Load(t)
	if b, ok := known.(*binding); ok {
		return b, nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("input type %s is not a struct", t)
	}
	b := &binding{typ: t, fields: map[*source][]boundField{}, embedded: map[string]bool{}}
	if err := b.addFields(t); err != nil {
		return nil, fmt.Errorf("input type %s: %w", t, err)
	}
	if err := b.checkTypes(); err != nil {
		return nil, fmt.Errorf("input type %s: %w", t, err)
	}
	bindings.Store(t, b)
	return b, nil
}

// addFields adds the fields of t: the input, or a struct embedded in it.
func (b *binding) addFields(t reflect.Type) error {
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

func (b *binding) addField(f reflect.StructField) error {
	from := sourcesOf(f)
	switch {
	case len(from) == 0:
		b.body = b.body || f.IsExported() && f.Tag.Get("json") != "-"
		return nil
	case len(from) > 1:
		return fmt.Errorf("both of %s and %s", from[0].tag, from[1].tag)
	case !f.IsExported():
		return fmt.Errorf("it has a %s tag and is not exported", from[0].tag)
	case f.Tag.Get("json") != "-":
		return fmt.Errorf("it has a %s tag and so needs `json:\"-\"`, or the body could set it", from[0].tag)
	case !isBindable(f.Type, from[0].tag != "param"):
		return fmt.Errorf("a %s can't be of type %s", from[0].tag, f.Type)
	}
	b.fields[from[0]] = append(b.fields[from[0]], boundField{name: tagName(f, from[0].tag), typ: f.Type})
	return nil
}

func sourcesOf(f reflect.StructField) []*source {
	var from []*source
	for _, s := range sources {
		if tagName(f, s.tag) != "" {
			from = append(from, s)
		}
	}
	return from
}

func tagName(f reflect.StructField, tag string) string {
	name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
	return name
}

// isEmbedded reports whether f is a struct whose fields count as those of the struct around it, as in encoding/json.
func isEmbedded(f reflect.StructField) bool {
	return f.Anonymous && f.Type.Kind() == reflect.Struct && tagName(f, "json") == "" && f.Type != reflect.TypeFor[time.Time]()
}

// isBindable reports whether a field of the type can be made of strings.
func isBindable(t reflect.Type, lists bool) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return isBindable(t.Elem(), false) && t.Elem().Kind() != reflect.Pointer
	case reflect.Slice:
		return lists && t.Elem().Kind() != reflect.Pointer && isBindable(t.Elem(), false)
	case reflect.Struct:
		return t == reflect.TypeFor[time.Time]()
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	default:
		return false
	}
}

// checkTypes checks the input type and every struct type that its values may hold.
func (b *binding) checkTypes() error {
	var errs []error
	seen := map[reflect.Type]bool{}
	var check func(t reflect.Type, input bool)
	check = func(t reflect.Type, input bool) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			check(t.Elem(), false)
		case reflect.Struct:
			if seen[t] || t == reflect.TypeFor[time.Time]() {
				return
			}
			seen[t] = true
			errs = append(errs, checkValidation(t))
			for f := range t.Fields() {
				if !input && len(sourcesOf(f)) > 0 {
					errs = append(errs, fmt.Errorf("field %s of %s: only the input's own fields can have a %s tag",
						f.Name, t, sourcesOf(f)[0].tag))
				}
				if isEmbedded(f) {
					b.embedded[f.Name] = true
				}
				check(f.Type, input && isEmbedded(f))
			}
		}
	}
	check(b.typ, true)
	return errors.Join(errs...)
}

// decode fills in, a pointer to a struct of b's type, and validates it. Its errors are *Error.
func (b *binding) decode(r *Request, in any) error {
	if b.body && len(r.Body) > 0 {
		if err := b.decodeBody(r, in); err != nil {
			return err
		}
	}
	for _, s := range sources {
		if err := b.decodeSource(s, r, in); err != nil {
			return err
		}
	}
	return b.validate(in)
}

func (b *binding) decodeBody(r *Request, in any) error {
	if !isJSON(r.ContentType) {
		return NewError(http.StatusUnsupportedMediaType, "the body is %q, not JSON", r.ContentType)
	}
	err := json.Unmarshal(r.Body, in)
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return BadRequest("malformed JSON at byte %d: %s", syntax.Offset, syntax)
	case errors.As(err, &wrongType) && wrongType.Field == "":
		return Unprocessable("the body is not a JSON object").WithCause(err)
	case errors.As(err, &wrongType):
		return invalidInput(FieldError{Field: b.path(wrongType.Field), Message: typeMessage(wrongType.Type)}).WithCause(err)
	default:
		return Unprocessable("the body has a value that can't be read").WithCause(err)
	}
}

// path returns the path of a field as the caller knows it.
func (b *binding) path(jsonPath string) string {
	names := strings.Split(jsonPath, ".")
	return strings.Join(slices.DeleteFunc(names, func(name string) bool { return b.embedded[name] }), ".")
}

// decodeSource gives the form library the names it looks for and no others: it panics on those with odd brackets.
func (b *binding) decodeSource(s *source, r *Request, in any) error {
	var values url.Values
	for _, f := range b.fields[s] {
		found := s.get(r, f.name)
		if len(found) == 0 {
			continue
		}
		if len(found) > 1 && f.typ.Kind() != reflect.Slice {
			// To take the first would leave the caller to guess which of them counts.
			return invalidInput(FieldError{Field: f.name, Message: "must be given once"})
		}
		if values == nil {
			values = url.Values{}
		}
		values[f.name] = found
	}
	if values == nil {
		return nil
	}
	err := s.decoder.Decode(in, values)
	var wrong form.DecodeErrors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return invalidInput(b.fieldErrors(s, wrong)...).WithCause(err)
	default:
		return fmt.Errorf("decode the %s fields: %w", s.tag, err)
	}
}

// fieldErrors words the form library's errors, in the order of the fields.
func (b *binding) fieldErrors(s *source, wrong form.DecodeErrors) []FieldError {
	var out []FieldError
	for _, f := range b.fields[s] {
		if wrong[f.name] != nil {
			out = append(out, FieldError{Field: f.name, Message: valueMessage(f.typ)})
		}
	}
	return out
}

// encode writes in, a struct of b's type, to a request.
func (b *binding) encode(in any) (*Request, error) {
	r := &Request{}
	if b.body {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("marshal the input: %w", err)
		}
		r.ContentType, r.Body = contentTypeJSON, body
	}
	for _, s := range sources {
		if len(b.fields[s]) == 0 {
			continue
		}
		values, err := s.encoder.Encode(in)
		if err != nil {
			return nil, fmt.Errorf("encode the %s fields: %w", s.tag, err)
		}
		for _, f := range b.fields[s] {
			if found := values[f.name]; len(found) > 0 {
				s.set(r, f.name, found)
			}
		}
	}
	return r, nil
}
