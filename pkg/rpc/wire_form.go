package rpc

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// wireForm is a string in the encoding of forms (application/x-www-form-urlencoded) in the making. It is url.Values without a
// map and, for what is known beforehand, without a sort.
type wireForm []byte

func (f wireForm) add(name, value string) wireForm {
	if len(f) > 0 {
		f = append(f, '&')
	}
	f = append(f, url.QueryEscape(name)...)
	f = append(f, '=')
	return append(f, url.QueryEscape(value)...)
}

// addIf leaves out what is empty.
func (f wireForm) addIf(name, value string) wireForm {
	if value == "" {
		return f
	}
	return f.add(name, value)
}

// addLists adds names behind a prefix, in their order, each with all its values.
func (f wireForm) addLists(prefix string, lists map[string][]string) wireForm {
	for _, name := range sortedKeys(lists) {
		for _, value := range lists[name] {
			f = f.add(prefix+name, value)
		}
	}
	return f
}

// sortedKeys allocates once at most; slices.Sorted(maps.Keys(m)) does so several times, even for an empty map.
func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// set puts the form into a table, unless it is empty.
func (f wireForm) set(table map[string]any, name string) {
	if len(f) > 0 {
		table[name] = string(f)
	}
}

// readForm calls field with each name and value of the form in a table, in their order; not at all if it is not there.
func readForm(table map[string]any, header string, field func(name, value string)) error {
	s, err := getString(table, header)
	if err != nil {
		return err
	}
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if name, err = url.QueryUnescape(name); err != nil {
			return fmt.Errorf("%s: %w", header, err)
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return fmt.Errorf("%s: %w", header, err)
		}
		field(name, value)
	}
	return nil
}
