package dead

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printable returns s with everything escaped that could do more to a terminal than show a character, but for the
// runes in allowed: what is in a dead-lettered message may come from anybody.
func printable(s, allowed string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) || strings.ContainsRune(allowed, r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}

// bodyText is a body as text if it is UTF-8, otherwise as a hex dump. It ends with a new line.
func bodyText(body []byte) string {
	if !utf8.Valid(body) {
		return hex.Dump(body)
	}
	text := printable(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n\t")
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}
