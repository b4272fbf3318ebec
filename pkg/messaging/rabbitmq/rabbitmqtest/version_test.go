package rabbitmqtest

import (
	"errors"
	"testing"
)

func TestCheckVersion(t *testing.T) {
	tests := map[string]struct {
		wanted, got string
		want        error
	}{
		"any":                {"", "3.10.8", nil},
		"same":               {"4.3", "4.3.6", nil},
		"patch":              {"4.3.6", "4.3.6", nil},
		"other":              {"4.3", "3.10.8", errOtherVersion},
		"other patch":        {"4.3.6", "4.3.60", errOtherVersion},
		"common first digit": {"3.1", "3.10.8", errOtherVersion},
		"no version":         {"4.3", "", errOtherVersion},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(versionVariable, test.wanted)
			if err := checkVersion(test.got); !errors.Is(err, test.want) {
				t.Errorf("RabbitMQ %q where %q is wanted: %v, want %v", test.got, test.wanted, err, test.want)
			}
		})
	}
}

func TestVersionIn(t *testing.T) {
	tests := map[string]struct{ start, want string }{
		"properties":   {"\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x054.3.6\x08platform", "4.3.6"},
		"no version":   {"\x07productS\x00\x00\x00\x08RabbitMQ", ""},
		"no string":    {"\x07versionI\x00\x00\x00\x04", ""},
		"cut off":      {"\x07versionS\x00\x00\x00\x054.3", ""},
		"no length":    {"\x07versionS\x00", ""},
		"far too long": {"\x07versionS\xff\xff\xff\xff4.3.6", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := versionIn([]byte(test.start))
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("version %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// TestLongOtherVersion checks that no node of another version than RABBITMQ names starts, and that no broker of AMQP_URL is used.
func TestLongOtherVersion(t *testing.T) {
	node := StartNode(t, Options{Dir: t.TempDir()})
	t.Setenv("AMQP_URL", node.URL())
	t.Setenv(versionVariable, node.Version())
	if _, _, err := findOrStart(t.Context(), Options{}); err != nil {
		t.Errorf("a broker of version %s: %v", node.Version(), err)
	}
	t.Setenv(versionVariable, "1.0")
	if _, _, err := findOrStart(t.Context(), Options{}); !errors.Is(err, errOtherVersion) {
		t.Errorf("AMQP_URL's broker of another version: %v, want errOtherVersion", err)
	}
	if _, err := Start(t.Context(), Options{Dir: t.TempDir()}); !errors.Is(err, errOtherVersion) {
		t.Errorf("node of another version: %v, want errOtherVersion", err)
	}
}
