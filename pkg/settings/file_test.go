package settings

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type secretConfig struct {
	URLs    []string      `name:"broker-url" default:"none" help:"Broker."`
	Timeout time.Duration `default:"5s" validate:"min=1s" help:"Limit."`
}

func TestSettingsFromFiles(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	urls, timeout, empty := file("urls", "amqp://a:secret@b/,amqp://c/\n"), file("timeout", "7s\r\n"), file("empty", "\n")
	tests := map[string]struct {
		env  map[string]string
		args []string
		want secretConfig
		err  string
	}{
		"value": {
			env:  map[string]string{"BROKER_URL_FILE": urls, "SHOP_TIMEOUT_FILE": timeout},
			want: secretConfig{[]string{"amqp://a:secret@b/", "amqp://c/"}, 7 * time.Second},
		},
		"flag": {
			env:  map[string]string{"SHOP_TIMEOUT_FILE": timeout},
			args: []string{"--shop-timeout=9s"},
			want: secretConfig{[]string{"none"}, 9 * time.Second},
		},
		"no file named": {
			env:  map[string]string{"SHOP_TIMEOUT_FILE": "", "SHOP_TIMEOUT": "3s"},
			want: secretConfig{[]string{"none"}, 3 * time.Second},
		},
		"empty variable": {
			env:  map[string]string{"BROKER_URL_FILE": urls, "BROKER_URL": ""},
			want: secretConfig{[]string{"amqp://a:secret@b/", "amqp://c/"}, 5 * time.Second},
		},
		"both": {
			env: map[string]string{"BROKER_URL_FILE": urls, "BROKER_URL": "amqp://d/"},
			err: "set either BROKER_URL or BROKER_URL_FILE",
		},
		"no such file": {
			env: map[string]string{"BROKER_URL_FILE": filepath.Join(folder, "missing")},
			err: "read BROKER_URL_FILE: open " + filepath.Join(folder, "missing"),
		},
		"wrong type":      {env: map[string]string{"SHOP_TIMEOUT_FILE": empty}, err: "SHOP_TIMEOUT (--shop-timeout)"},
		"not allowed":     {env: map[string]string{"SHOP_TIMEOUT_FILE": file("short", "1ms")}, err: "SHOP_TIMEOUT must be at least 1s"},
		"a folder":        {env: map[string]string{"BROKER_URL_FILE": folder}, err: "read BROKER_URL_FILE"},
		"two lines":       {env: map[string]string{"BROKER_URL_FILE": file("key", "secret\nsecret\n")}, err: "key has more than a line"},
		"a database":      {env: map[string]string{"BROKER_URL_FILE": file("db", "secret\x00")}, err: "db has more than a line"},
		"a relative path": {env: map[string]string{"SHOP_TIMEOUT_FILE": "missing"}, err: "read SHOP_TIMEOUT_FILE"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			var got secretConfig
			err := Program{Name: "shop", Own: &got, Shared: &struct{}{}}.Parse(test.args, io.Discard)
			switch {
			case test.err == "" && err != nil:
				t.Error(err)
			case test.err == "":
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("settings (-want +got):\n%s", diff)
				}
			case err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "secret"):
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}
