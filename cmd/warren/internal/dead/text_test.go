package dead

import "testing"

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"":                      "",
		`POST /v1/"things"\n é`: `POST /v1/"things"\n é`,
		"\x1b]0;title\a":        `\x1b]0;title\a`,
		"'\n'":                  `'\n'`,
		"a\u202eb\u0085":        `a\u202eb\u0085`,
	} {
		if got := printable(s, ""); got != want {
			t.Errorf("printable(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestBodyText(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"empty":              {"", ""},
		"text":               {"{\r\n\t\"a\": 1\n}", "{\n\t\"a\": 1\n}\n"},
		"a new line at end":  {"text\n", "text\n"},
		"control characters": {"a\x1b[31m\rb\x00", `a\x1b[31m\rb\x00` + "\n"},
		"anything but UTF-8": {"\xff\x00a", "00000000  ff 00 61                                          |..a|\n"},
	} {
		if got := bodyText([]byte(test.body)); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
