package dead

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printable escapes all runes of s that are not printable, except those in allowed. Any sender may have chosen the content of
// a message, which must not control the terminal.
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

// bodyText returns a body as text if it is UTF-8, and otherwise as a hex dump. The result ends with a newline.
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
