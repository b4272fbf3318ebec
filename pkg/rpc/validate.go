package rpc

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"
)

// maxFieldErrors bounds what a large and wrong input can make of its reply.
const maxFieldErrors = 100

// embeddedName stands for an embedded struct in the path of a field, and is cut from it.
const embeddedName = "(embedded)"

var validate = newValidate()

func newValidate() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(fieldName)
	return v
}

// fieldName is the name that the caller knows a field by.
func fieldName(f reflect.StructField) string {
	if isEmbedded(f) {
		return embeddedName
	}
	for _, s := range sources {
		if name := tagName(f, s.tag); name != "" {
			return name
		}
	}
	if name := tagName(f, "json"); name != "-" {
		return name
	}
	return ""
}

// checkValidation returns what is wrong with the validate tags of a struct type: the library panics over it.
func checkValidation(t reflect.Type) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("validate tags of %s: %v", t, value)
		}
	}()
	// What the zero value fails is of no interest.
	_ = validate.Struct(reflect.New(t).Interface())
	return nil
}

// validate checks in, a pointer to a struct of b's type.
func (b *binding) validate(in any) error {
	err := validate.Struct(in)
	var wrong validator.ValidationErrors
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return fmt.Errorf("validate the input: %w", err)
	}
	fields := make([]FieldError, 0, len(wrong))
	for _, w := range wrong[:min(len(wrong), maxFieldErrors)] {
		path := w.Namespace()
		if name := b.typ.Name(); name != "" {
			path = strings.TrimPrefix(path, name+".")
		}
		path = strings.ReplaceAll(path, embeddedName+".", "")
		fields = append(fields, FieldError{Field: path, Message: ruleMessage(w)})
	}
	return invalidInput(fields...)
}

func invalidInput(fields ...FieldError) *Error {
	return Unprocessable("invalid input").WithFields(fields...)
}

// typeMessage says what a value of the type looks like, in the caller's words.
func typeMessage(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
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
		return "must be an array"
	case reflect.Struct, reflect.Map:
		if t == reflect.TypeFor[time.Time]() {
			return "must be a time like 2006-01-02T15:04:05Z"
		}
		return "must be an object"
	default:
		return "is of the wrong type"
	}
}

// valueMessage is the typeMessage of one value of a field that may take several.
func valueMessage(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return typeMessage(t)
}

// ruleMessage words a broken rule without the names of Go fields and types.
func ruleMessage(w validator.FieldError) string {
	switch w.Tag() {
	case "required":
		return "is required"
	case "min", "gte":
		return boundMessage(w, "at least")
	case "max", "lte":
		return boundMessage(w, "at most")
	case "gt":
		return boundMessage(w, "more than")
	case "lt":
		return boundMessage(w, "less than")
	case "len", "eq":
		return boundMessage(w, "exactly")
	case "oneof":
		return "must be one of " + strings.Join(strings.Fields(w.Param()), ", ")
	case "unique":
		return "must not repeat a value"
	case "uuid", "uuid4":
		return "must be a UUID"
	case "email":
		return "must be an email address"
	case "url", "http_url":
		return "must be a URL"
	case "iso4217":
		return "must be a currency code like EUR"
	case "alphanum":
		return "must have letters and digits only"
	default:
		return "is not valid"
	}
}

func boundMessage(w validator.FieldError, bound string) string {
	switch w.Kind() {
	case reflect.String:
		return fmt.Sprintf("must have %s %s characters", bound, w.Param())
	case reflect.Slice, reflect.Array, reflect.Map:
		return fmt.Sprintf("must have %s %s items", bound, w.Param())
	case reflect.Struct: // times, which are compared with now
		return "is not valid"
	default:
		return fmt.Sprintf("must be %s %s", bound, w.Param())
	}
}
