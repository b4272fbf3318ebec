package settings

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// signingConfig is declared by an adapter and embedded in the Config of its service.
type signingConfig struct {
	Issuer string `default:"example" validate:"required" help:"The iss of tokens."`
}

func TestNamesAreDerived(t *testing.T) {
	config := &struct {
		TokenLifetime  time.Duration `default:"15m" help:"How long a token lasts."`
		CORSOrigins    []string      `validate:"dive,origin" help:"Origins of pages."`
		Signing        signingConfig `embed:""`
		Login          signingConfig `embed:"" prefix:"login-"`
		LogLevel       int           `default:"3" validate:"max=9" help:"Not the LOG_LEVEL of the chassis."`
		DemoData       bool          `name:"demo-data" demo:"true" help:"Adds users."`
		Database       string        `default:"a.db" file:"" help:"SQLite file."`
		BcryptCost     int           `name:"access-control-bcrypt-cost" env:"ACCESS_CONTROL_BCRYPT_COST" default:"12" help:"Work."`
		ignored        int
		OtherwiseKnown string `env:"KNOWN_AS" help:"Another variable."`
	}{}
	shared := &struct {
		AdminAddr string `default:"${admin_addr}" validate:"omitempty,hostport" help:"Address of the probes."`
	}{}
	p := Program{
		Name: "access-control", Version: "v0.1.0", Own: config, Shared: shared, Vars: map[string]string{"admin_addr": "127.0.0.1:9092"},
	}
	got, err := p.List()
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{Variable: "ACCESS_CONTROL_TOKEN_LIFETIME", Default: "15m", Help: "How long a token lasts."},
		{Variable: "ACCESS_CONTROL_CORS_ORIGINS", Allowed: "a list, each like https://example.com", Help: "Origins of pages."},
		{Variable: "ACCESS_CONTROL_ISSUER", Default: "example", Allowed: "set", Help: "The iss of tokens."},
		{Variable: "ACCESS_CONTROL_LOGIN_ISSUER", Default: "example", Allowed: "set", Help: "The iss of tokens."},
		{Variable: "ACCESS_CONTROL_LOG_LEVEL", Default: "3", Allowed: "at most 9", Help: "Not the LOG_LEVEL of the chassis."},
		{Variable: "DEMO_DATA", Help: "Adds users.", Demo: "true"},
		{Variable: "ACCESS_CONTROL_DATABASE", Default: "a.db", Help: "SQLite file.", File: true},
		{Variable: "ACCESS_CONTROL_BCRYPT_COST", Default: "12", Help: "Work."},
		{Flag: "--access-control-otherwise-known", Variable: "KNOWN_AS", Help: "Another variable."},
		{Variable: "ADMIN_ADDR", Default: "127.0.0.1:9092", Allowed: "host:port or empty", Help: "Address of the probes.", Shared: true},
	}
	for i := range want {
		if want[i].Flag == "" { // the flag is spelled like the variable
			want[i].Flag = "--" + strings.ToLower(strings.ReplaceAll(want[i].Variable, "_", "-"))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestDerivedNamesAreRead(t *testing.T) {
	t.Setenv("ACCESS_CONTROL_ISSUER", "tokens")
	config := &struct {
		Signing signingConfig `embed:""`
		Size    int
	}{}
	p := Program{Name: "access-control", Own: config, Shared: &struct{}{}}
	if err := p.Parse([]string{"--access-control-size=7"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if config.Signing.Issuer != "tokens" || config.Size != 7 {
		t.Errorf("got %+v", config)
	}
}

func TestAllowed(t *testing.T) {
	for rules, want := range map[string]string{
		"":                   "",
		"required":           "set",
		"min=1":              "at least 1",
		"max=9":              "at most 9",
		"min=1s,max=1h":      "between 1s and 1h",
		"oneof=a":            "a",
		"oneof=502 504":      "502 or 504",
		"oneof=a b c":        "a, b or c",
		"required,hostport":  "set and host:port",
		"omitempty,hostport": "host:port or empty",
		"dive,origin":        "a list, each like https://example.com",
		"startswith=/":       "startswith=/",
	} {
		if got := allowed(rules); got != want {
			t.Errorf("allowed(%q) = %q, want %q", rules, got, want)
		}
	}
}

func TestOrigins(t *testing.T) {
	for origin, ok := range map[string]bool{
		"https://example.com":      true,
		"http://127.0.0.1:8080":    true,
		"capacitor://localhost":    true,
		"*":                        false,
		"example.com":              false,
		"https://":                 false,
		"https://example.com/":     false,
		"https://example.com/path": false,
		"https://example.com?q":    false,
		"https://example.com#":     false,
		"https://user@example.com": false,
	} {
		config := &struct {
			Origins []string `validate:"dive,origin"`
		}{}
		p := Program{Name: "shop", Own: config, Shared: &struct{}{}}
		if err := p.Parse([]string{"--shop-origins=" + origin}, io.Discard); (err == nil) != ok {
			t.Errorf("%s: got %v, want accepted: %t", origin, err, ok)
		}
	}
}
