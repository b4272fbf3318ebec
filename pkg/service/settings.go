package service

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"

	"github.com/alecthomas/kong"
)

// Setting describes one setting of a service, as --help prints it.
type Setting struct {
	Flag     string // "--orders-database"
	Variable string // "ORDERS_DATABASE"
	Default  string
	Allowed  string // "between 1s and 1h"; empty: every value of its type
	Help     string
	Shared   bool // a field of Config, which every service has

	// File reports the tag file:"": the setting names a file or folder that the service writes. The demo and the
	// containers put a relative default into a folder of the service.
	File bool
	// Demo is the tag demo: the value in the demo and in tests of the whole system. Empty: the default.
	Demo string
}

// Settings returns the settings of s in the order of --help: its own, then those that every service has.
func Settings(s Service) ([]Setting, error) {
	parser, err := newParser(s, new(Config))
	if err != nil {
		return nil, err
	}
	var settings []Setting
	for _, flag := range parser.Model.Flags {
		if len(flag.Envs) == 0 {
			continue // --help and --version
		}
		settings = append(settings, Setting{
			Flag:     "--" + flag.Name,
			Variable: flag.Envs[0],
			Default:  flag.Default,
			Allowed:  allowed(flag.Tag.Get("validate")),
			Help:     flag.OrigHelp,
			Shared:   flag.Group.Key == sharedGroup,
			File:     flag.Tag.Has("file"),
			Demo:     flag.Tag.Get("demo"),
		})
	}
	return settings, nil
}

// errPrinted is returned after --help and --version.
var errPrinted = errors.New("printed what was asked for")

// parse fills in s.Config and returns the shared settings: flags before environment variables before defaults.
func parse(s Service, args []string, stdout io.Writer) (*Config, error) {
	shared, printed := new(Config), false
	parser, err := newParser(s, shared, kong.Writers(stdout, stdout), kong.Exit(func(int) { printed = true }))
	if err != nil {
		return nil, err
	}
	_, err = parser.Parse(args)
	if printed {
		return nil, errPrinted
	}
	if err != nil {
		return nil, nameVariables(err, parser.Model.Flags)
	}
	errs := validateFlags(parser.Model.Flags)
	for _, config := range []any{s.Config, shared} {
		if v, ok := config.(interface{ Validate() error }); ok {
			errs = append(errs, v.Validate())
		}
	}
	return shared, errors.Join(errs...)
}

// The groups of --help.
const (
	ownGroup    = "own"
	sharedGroup = "shared"
)

// newParser returns a parser that fills in s.Config and shared.
func newParser(s Service, shared *Config, options ...kong.Option) (*kong.Kong, error) {
	if t := reflect.TypeOf(s.Config); t != nil && (t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct) {
		return nil, fmt.Errorf("the settings must be a pointer to a struct, not %s", t)
	}
	if s.Config != nil {
		options = append(options, kong.Embed(s.Config, fmt.Sprintf(`group:%q prefix:"%s-"`, ownGroup, s.Name)))
	}
	options = append(options,
		kong.Embed(shared, fmt.Sprintf("group:%q", sharedGroup)),
		kong.Name(s.Name),
		kong.Description("Each setting is an environment variable and, overriding it, a flag."),
		kong.ExplicitGroups([]kong.Group{
			{Key: ownGroup, Title: "Settings of " + s.Name + ":"},
			{Key: sharedGroup, Title: "Settings of every service:"},
		}),
		kong.Vars{"admin_addr": s.AdminAddr, "version": s.Name + " " + ReadBuild().String()},
		kong.ValueFormatter(formatHelp),
		kong.PostBuild(nameFlags),
		kong.DefaultEnvars(""),
	)
	var root struct {
		Version kong.VersionFlag `env:"-" help:"Show the version and the commit."`
	}
	parser, err := kong.New(&root, options...)
	if err != nil {
		return nil, fmt.Errorf("describe the settings: %w", err)
	}
	return parser, nil
}

// nameFlags makes the tag name replace a derived name whole: kong would put the prefix before it. It reports names that
// own and shared settings both have, which kong does not compare.
func nameFlags(k *kong.Kong) error {
	seen := map[string]bool{}
	for _, flag := range k.Model.Flags {
		if flag.Tag.Name != "" {
			flag.Name = flag.Tag.Name
		}
		if seen[flag.Name] {
			return fmt.Errorf("two settings are named --%s", flag.Name)
		}
		seen[flag.Name] = true
	}
	return nil
}

// formatHelp puts the environment variable first: it is how a service is configured.
func formatHelp(value *kong.Value) string {
	if len(value.Tag.Envs) == 0 {
		return value.Help
	}
	return value.Tag.Envs[0] + ": " + value.Help
}

var flagPattern = regexp.MustCompile(`--[a-z0-9-]+`)

// nameVariables puts the environment variable before each flag in kong's text, which often names the flag alone.
func nameVariables(err error, flags []*kong.Flag) error {
	text := flagPattern.ReplaceAllStringFunc(err.Error(), func(name string) string {
		i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return "--"+f.Name == name && len(f.Envs) > 0 })
		if i < 0 {
			return name
		}
		return flags[i].Envs[0] + " (" + name + ")"
	})
	return errors.New(text)
}
