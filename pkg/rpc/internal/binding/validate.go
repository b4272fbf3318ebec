package binding

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"example.com/warren/pkg/rpc/protocol"
)

// maxFieldErrors bounds the size of the reply to a large and wrong input.
const maxFieldErrors = 100

// embeddedName stands for an embedded struct in the path of a field, and is cut from it.
const embeddedName = "(embedded)"

var validate = newValidate()

func newValidate() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(fieldName)
	return v
}

// fieldName returns the name that the caller knows a field by.
func fieldName(f reflect.StructField) string {
	if isEmbedded(f) {
		return embeddedName
	}
	if from := sourcesOf(f); len(from) > 0 {
		return tagName(f, string(from[0]))
	}
	if name := tagName(f, "json"); name != "-" {
		return name
	}
	return ""
}

// checkValidation returns what is wrong with the validate tags of a struct type. The library reports that by a panic.
func checkValidation(t reflect.Type) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("validate tags of %s: %v", t, value)
		}
	}()
	_ = validate.Struct(reflect.New(t).Interface()) // the zero value need not be valid
	return nil
}

// validate returns the fields of in, a pointer to a value of the input type, that break rules.
func (b *Binding) validate(in any) (fields []protocol.FieldError, err error) {
	err = validate.Struct(in)
	wrong, ok := errors.AsType[validator.ValidationErrors](err)
	if err != nil && !ok {
		return nil, fmt.Errorf("validate the input: %w", err)
	}
	for _, w := range wrong[:min(len(wrong), maxFieldErrors)] {
		path := w.Namespace()
		if name := b.typ.Name(); name != "" {
			path = strings.TrimPrefix(path, name+".")
		}
		path = strings.ReplaceAll(path, embeddedName+".", "")
		fields = append(fields, protocol.FieldError{Field: path, Message: ruleMessage(w)})
	}
	return fields, nil
}

func invalidInput(fields ...protocol.FieldError) *protocol.Error {
	return protocol.NewError(http.StatusUnprocessableEntity, "invalid input").WithFields(fields...)
}

// typeMessage says how a value of the type must look, in the caller's words.
func typeMessage(t reflect.Type) string {
	t = deref(t)
	if unmarshalsItself(t) && t != timeType {
		return "is not valid" // its kind says nothing about its JSON
	}
	switch t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("must be an integer of at most %d bits", t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("must be an integer of at most %d bits, not negative", t.Bits())
	case reflect.Float32, reflect.Float64:
		return "must be a number"
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return "must be base64 in a string"
		}
		return "must be an array"
	case reflect.Struct, reflect.Map:
		if t == timeType {
			return "must be a time like 2006-01-02T15:04:05Z"
		}
		return "must be an object"
	default:
		return "is of the wrong type"
	}
}

// ruleMessages words the broken rules without a parameter.
var ruleMessages = map[string]string{
	"required":   "is required",
	"unique":     "must not repeat a value",
	"uuid":       "must be a UUID",
	"uuid4":      "must be a UUID",
	"email":      "must be an email address",
	"url":        "must be a URL",
	"http_url":   "must be a URL",
	"iso4217":    "must be a currency code like EUR",
	"alphanum":   "must have letters and digits only",
	"printascii": "must have visible ASCII characters only",
	"excludes":   "has a character that it must not have",
}

// boundMessages words the broken rules that compare a size or a number with their parameter.
var boundMessages = map[string]string{
	"min": "at least", "gte": "at least",
	"max": "at most", "lte": "at most",
	"gt": "more than", "lt": "less than",
	"len": "exactly", "eq": "exactly",
}

// ruleMessage words a broken rule without the names of Go fields and types.
func ruleMessage(w validator.FieldError) string {
	message, bound := ruleMessages[w.Tag()], boundMessages[w.Tag()]
	switch {
	case message != "":
		return message
	case w.Tag() == "oneof":
		return "must be one of " + strings.Join(strings.Fields(w.Param()), ", ")
	case bound == "" || w.Kind() == reflect.Struct: // the bounds of times compare them with now
		return "is not valid"
	}
	switch w.Kind() {
	case reflect.String:
		return fmt.Sprintf("must have %s %s characters", bound, w.Param())
	case reflect.Slice, reflect.Array, reflect.Map:
		return fmt.Sprintf("must have %s %s items", bound, w.Param())
	default:
		return fmt.Sprintf("must be %s %s", bound, w.Param())
	}
}
