package binding

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/warren/pkg/rpc/protocol"
)

// A small body of many empty values must not become a large input. These bounds hold where the validate tags have none.
const (
	maxItems = 1000 // of a list, and members of an object
	maxDepth = 100  // of lists and objects in each other
)

// maxPath bounds the paths in errors, in bytes: the names in a body are the caller's.
const maxPath = 200

// shape is how the JSON of a Go type looks. The shape of a value that no field takes is nil.
type shape struct {
	typ    reflect.Type      // without pointers; nil: not known
	opens  jsontext.Kind     // the first token of a struct, a map or a list; 0 for other types
	fields map[string]*shape // of a struct, by name
	elem   *shape            // of a list or a map
	limit  int               // of items or members
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// shapeOf returns the shape of a type. limits are the bounds of a list, of the lists in it, and so on. structs holds the
// shapes of the structs around it, since types may be recursive.
func shapeOf(t reflect.Type, limits []int, structs map[reflect.Type]*shape) *shape {
	t = deref(t)
	s := &shape{typ: t, limit: maxItems}
	if unmarshalsItself(t) {
		return s
	}
	switch t.Kind() {
	case reflect.Struct:
		if known := structs[t]; known != nil {
			return known
		}
		structs[t] = s
		s.opens = '{'
		s.addFields(structs)
	case reflect.Map, reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return s // base64 in a string
		}
		if s.opens = '['; t.Kind() == reflect.Map {
			s.opens = '{'
		}
		if len(limits) > 0 {
			s.limit, limits = limits[0], limits[1:]
		}
		s.elem = shapeOf(t.Elem(), limits, structs)
	}
	return s
}

// deref returns what a pointer type, or a pointer to one, points to.
func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func unmarshalsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler)
}

// addFields adds the fields that encoding/json decodes. Those of an embedded struct yield to those of the struct around it.
func (s *shape) addFields(structs map[reflect.Type]*shape) {
	s.fields = map[string]*shape{}
	var embedded []*shape
	for f := range s.typ.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch inner := shapeOf(f.Type, limitsOf(f.Tag.Get("validate")), structs); {
		case f.Tag.Get("json") == "-":
		case f.Anonymous && name == "" && inner.fields != nil:
			embedded = append(embedded, inner)
		case !f.IsExported():
		case strings.Contains(options, "string"): // a number or a bool in a string
			s.fields[cmp.Or(name, f.Name)] = &shape{limit: maxItems}
		default:
			s.fields[cmp.Or(name, f.Name)] = inner
		}
	}
	for _, e := range embedded {
		for name, field := range e.fields {
			if _, hidden := s.fields[name]; !hidden {
				s.fields[name] = field
			}
		}
	}
}

// limitsOf returns the bounds that a validate tag sets to a list, to the lists in it, and so on.
func limitsOf(tag string) []int {
	limits, keys := []int{maxItems}, false
	for rule := range strings.SplitSeq(tag, ",") {
		name, param, _ := strings.Cut(rule, "=")
		n, err := strconv.Atoi(param)
		switch last := len(limits) - 1; {
		case name == "dive":
			limits = append(limits, maxItems)
		case name == "keys" || name == "endkeys": // the rules between them are for the keys of a map
			keys = name == "keys"
		case keys || err != nil:
		case name == "max" || name == "lte" || name == "len" || name == "eq":
			limits[last] = n
		case name == "lt":
			limits[last] = n - 1
		}
	}
	return limits
}

// path returns the path of a value as the caller knows it, and as package validator writes it: "items[0].quantity".
func (s *shape) path(p jsontext.Pointer) string {
	var path strings.Builder
	for name := range p.Tokens() {
		switch {
		case s != nil && s.elem != nil:
			path.WriteString("[" + name + "]")
			s = s.elem
			continue
		case path.Len() > 0:
			path.WriteByte('.')
		}
		path.WriteString(name)
		if s != nil {
			s = s.fields[name]
		}
	}
	if path.Len() > maxPath {
		return strings.ToValidUTF8(path.String()[:maxPath], "") + "…"
	}
	return path.String()
}

// decodeBody returns the fields of wrong types. The other fields are decoded.
func (b *Binding) decodeBody(r *protocol.Request, in any) ([]protocol.FieldError, error) {
	if !protocol.IsJSON(r.ContentType) {
		return nil, protocol.NewError(http.StatusUnsupportedMediaType, "the body is %q, not JSON in UTF-8", r.ContentType)
	}
	if coding := strings.Join(r.Header.Values("Content-Encoding"), ","); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, protocol.NewError(http.StatusUnsupportedMediaType, "the body has the content coding %q", coding).
			WithHeader("Accept-Encoding", "identity") // RFC 9110, section 12.5.3
	}
	if _, err := b.readBody(r.Body, false); err != nil {
		return nil, err
	}
	err := json.Unmarshal(r.Body, in)
	if err == nil {
		return nil, nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, protocol.NewError(http.StatusBadRequest, "malformed JSON at byte %d: %s", syntax.Offset, syntax)
	}
	wrong, _ := b.readBody(r.Body, true)
	switch {
	case len(wrong) == 0:
		return nil, protocol.NewError(http.StatusUnprocessableEntity, "the body has a value that can't be read").WithCause(err)
	case wrong[0].Field == "":
		return nil, protocol.NewError(http.StatusUnprocessableEntity, "the body is not a JSON object").WithCause(err)
	}
	return wrong, nil
}

// readBody checks a body before encoding/json decodes it, which accepts invalid UTF-8, names that occur twice or in another case
// (RFC 8259, sections 4 and 8), and lists of any size. With types, readBody returns the fields of wrong types.
func (b *Binding) readBody(body []byte, types bool) ([]protocol.FieldError, error) {
	r := reader{Decoder: jsontext.NewDecoder(bytes.NewBuffer(body)), body: b.body, types: types}
	err := r.read(b.body)
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil // json.Unmarshal reports an empty body
	case ok && syntax.JSONPointer != "":
		return nil, protocol.NewError(http.StatusBadRequest, "malformed JSON at byte %d, in %s: %s",
			syntax.ByteOffset, b.body.path(syntax.JSONPointer), syntax.Err)
	case ok:
		return nil, protocol.NewError(http.StatusBadRequest, "malformed JSON at byte %d: %s", syntax.ByteOffset, syntax.Err)
	}
	return r.wrong, err
}

// reader reads the tokens of a body.
type reader struct {
	*jsontext.Decoder
	body  *shape
	types bool
	wrong []protocol.FieldError
}

// read reads a value. No field takes a value without a shape.
func (r *reader) read(s *shape) error {
	kind := r.PeekKind()
	if r.types && s != nil && s.typ != nil && kind != s.opens {
		return r.readType(s)
	}
	if _, err := r.ReadToken(); err != nil || kind != '{' && kind != '[' {
		return err
	}
	if r.StackDepth() > maxDepth {
		return protocol.NewError(http.StatusBadRequest, "the body is nested more than %d deep at byte %d", maxDepth, r.InputOffset())
	}
	if s == nil {
		s = &shape{limit: maxItems}
	}
	for n := 0; ; n++ {
		if next := r.PeekKind(); next == '}' || next == ']' {
			_, err := r.ReadToken()
			return err
		}
		if n >= s.limit {
			return r.tooMany(n, s.limit)
		}
		item := s.elem
		if kind == '{' {
			var err error
			if item, err = r.readName(s); err != nil {
				return err
			}
		}
		if err := r.read(item); err != nil {
			return err
		}
	}
}

// tooMany returns the error of a list or an object of which n items were read.
func (r *reader) tooMany(n, limit int) error {
	p := r.StackPointer() // of the last item
	if n > 0 {
		p = p.Parent()
	}
	message := "must have at most " + strconv.Itoa(limit) + " items"
	if p == "" {
		return protocol.NewError(http.StatusUnprocessableEntity, "the body %s", message)
	}
	return invalidInput(protocol.FieldError{Field: r.body.path(p), Message: message})
}

// readName reads the name of a member and returns the shape of its value.
func (r *reader) readName(s *shape) (*shape, error) {
	token, err := r.ReadToken()
	if err != nil || s.fields == nil {
		return s.elem, err
	}
	name := token.String()
	if field, ok := s.fields[name]; ok {
		return field, nil
	}
	for known := range s.fields {
		if strings.EqualFold(known, name) { // encoding/json would set the known field
			return nil, protocol.NewError(http.StatusBadRequest, "%s must be written %q: names are case-sensitive",
				r.body.path(r.StackPointer()), known)
		}
	}
	return nil, nil
}

// readType reads a value and notes whether encoding/json can't decode it.
func (r *reader) readType(s *shape) error {
	value, err := r.ReadValue()
	if err == nil && len(r.wrong) < maxFieldErrors && json.Unmarshal(value, reflect.New(s.typ).Interface()) != nil {
		r.wrong = append(r.wrong, protocol.FieldError{Field: r.body.path(r.StackPointer()), Message: typeMessage(s.typ)})
	}
	return err
}
