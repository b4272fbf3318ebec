package settings

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/go-playground/validator/v10"
)

var validate = newValidate()

func newValidate() *validator.Validate {
	v := validator.New()
	// RegisterValidation fails only without a name or a function.
	// The library's hostname_port refuses port 0, which asks the system for a free one.
	_ = v.RegisterValidation("hostport", func(f validator.FieldLevel) bool {
		_, _, err := net.SplitHostPort(f.Field().String())
		return err == nil
	})
	// The library's origin refuses the schemes of apps, as in capacitor://localhost.
	_ = v.RegisterValidation("origin", func(f validator.FieldLevel) bool {
		u, err := url.Parse(f.Field().String())
		return err == nil && u.Scheme != "" && u.Host != "" && u.Scheme+"://"+u.Host == f.Field().String()
	})
	return v
}

// validateFlags returns an error for each setting whose value its validate tag does not allow.
func validateFlags(flags []*kong.Flag) (errs []error) {
	for _, flag := range flags {
		rules := flag.Tag.Get("validate")
		if rules == "" || validate.Var(flag.Target.Interface(), rules) == nil {
			continue
		}
		value := fmt.Sprint(flag.Target)
		if flag.Target.Kind() == reflect.String {
			value = fmt.Sprintf("%q", value)
		}
		errs = append(errs, fmt.Errorf("%s must be %s, is %s", flag.Envs[0], allowed(rules), value))
	}
	return errs
}

// allowed describes the values that a validate tag allows: "between 1s and 1h" for "min=1s,max=1h".
func allowed(rules string) string {
	if _, each, isList := strings.Cut(rules, "dive,"); isList {
		return "a list, each " + allowed(each)
	}
	var words []string
	low, suffix := "", ""
	for rule := range strings.SplitSeq(rules, ",") {
		name, param, _ := strings.Cut(rule, "=")
		switch {
		case name == "omitempty":
			suffix = " or empty"
		case name == "min":
			low = param
			words = append(words, "at least "+low)
		case name == "max" && low != "":
			words[len(words)-1] = "between " + low + " and " + param
		case name == "max":
			words = append(words, "at most "+param)
		case name == "oneof":
			words = append(words, alternatives(strings.Fields(param)))
		case phrases[name] != "":
			words = append(words, phrases[name])
		default:
			words = append(words, rule)
		}
	}
	return strings.Join(words, " and ") + suffix
}

// phrases describe rules without a parameter.
var phrases = map[string]string{
	"required": "set",
	"hostport": "host:port",
	"origin":   "like https://example.com",
}

// alternatives returns "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
