package protocol

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// form is a growing string in the encoding of HTML forms (application/x-www-form-urlencoded). Unlike url.Values it needs no
// map, and sorts only names that it does not know beforehand.
type form []byte

func (f form) add(name, value string) form {
	if len(f) > 0 {
		f = append(f, '&')
	}
	return append(f.escape(name), '=').escape(value)
}

// escape appends what url.QueryEscape returns, without allocating a string.
func (f form) escape(s string) form {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~':
			f = append(f, c)
		case c == ' ':
			f = append(f, '+')
		default:
			const digits = "0123456789ABCDEF"
			f = append(f, '%', digits[c>>4], digits[c&15])
		}
	}
	return f
}

// unescape is url.QueryUnescape, faster for the many texts that have nothing escaped.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
}

// addIf leaves out an empty value.
func (f form) addIf(name, value string) form {
	if value == "" {
		return f
	}
	return f.add(name, value)
}

// addLists adds all values of all names, in the order of the names, each name after a prefix.
func (f form) addLists(prefix string, lists map[string][]string) form {
	for _, name := range sortedKeys(make([]string, 0, 16), lists) {
		for _, value := range lists[name] {
			f = f.add(prefix+name, value)
		}
	}
	return f
}

// sortedKeys appends the keys of m to keys, which may be on the caller's stack. slices.Sorted(maps.Keys(m)) allocates several
// times, even for an empty map.
func sortedKeys[V any](keys []string, m map[string]V) []string {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// set stores the form in a header, unless it is empty.
func (f form) set(headers map[string]any, name string) {
	if len(f) > 0 {
		headers[name] = string(f)
	}
}

// readForm calls field with each name and value of the form in a header, in their order.
func readForm(headers map[string]any, header string, field func(name, value string)) error {
	value, ok := headers[header]
	if !ok {
		return nil
	}
	s, ok := value.(string)
	if !ok {
		return fmt.Errorf("%s is %T, not a string", header, value)
	}
	if err := parseForm(s, field); err != nil {
		return fmt.Errorf("%s: %w", header, err)
	}
	return nil
}

func parseForm(s string, field func(name, value string)) error {
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		var err error
		if name, err = unescape(name); err != nil {
			return err
		}
		if value, err = unescape(value); err != nil {
			return err
		}
		field(name, value)
	}
	return nil
}
