// Package settings reads the settings of a program from environment variables, and from flags, which override them.
//
// # Declaring a setting
//
// A setting is one field of a struct. Its flag and its variable follow from the program's name and the field's name:
//
//	type Config struct {
//		Database      string        `default:"orders.db" validate:"required" help:"SQLite file of the orders."`
//		TokenLifetime time.Duration `default:"15m" validate:"min=1s,max=24h" help:"How long a token lasts."`
//	}
//
// In the program orders, Database is --orders-database and ORDERS_DATABASE. Fields of structs with the tag embed belong
// to the program as well; the tag prefix goes before their names. The tag name replaces a flag's name whole, and the
// variable's with it.
//
// The tags default, help, name, embed and prefix are those of [kong]. The tag validate has the rules of [validator], and
// two that differ: hostport is host:port with any port, and origin is scheme://host with any scheme. Relations between fields
// are checked by a method Validate() error of the struct.
//
// # Secrets
//
// A variable whose name ends with _FILE names a file with the value of the setting: BROKER_URL_FILE=/run/secrets/broker-url
// instead of BROKER_URL. Container engines and orchestrators mount secrets as files, and the environment of a process is
// shown in more places. The file has one line; a line break at its end is not part of the value.
//
// # Errors
//
// A value of the wrong type ends the parsing. Otherwise the error has a line for each value that is not allowed. It names
// the variable, what is allowed and the value: "ORDERS_PAGE_SIZE must be between 1 and 100, is 0". A setting that holds a
// secret therefore has no tag validate; check it in Validate.
//
// [kong]: https://github.com/alecthomas/kong
// [validator]: https://github.com/go-playground/validator
package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Program describes a program and where its settings go.
type Program struct {
	Name    string
	Version string            // printed by --version
	Own     any               // pointer to the struct of the program's own settings; nil: none
	Shared  any               // pointer to the struct of settings that related programs have too; their names have no prefix
	Vars    map[string]string // the values of ${name} in defaults and help
}

// Setting describes one setting, as --help prints it.
type Setting struct {
	Flag     string // "--orders-database"
	Variable string // "ORDERS_DATABASE"
	Default  string
	Allowed  string // "between 1s and 1h"; empty: every value of its type
	Help     string
	Shared   bool // a field of Program.Shared

	// File reports the tag file:"": the setting names a file or folder that the program writes. The demo and the
	// containers put a relative default into a folder of the program.
	File bool
	// Demo is the tag demo: the value in the demo and in tests of the whole system. Empty: the default.
	Demo string
}

// List returns the program's settings in the order of --help: its own, then the shared ones.
func (p Program) List() ([]Setting, error) {
	parser, err := p.parser()
	if err != nil {
		return nil, err
	}
	var list []Setting
	for _, flag := range parser.Model.Flags {
		if len(flag.Envs) == 0 {
			continue // --help and --version
		}
		list = append(list, Setting{
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
	return list, nil
}

// ErrPrinted is what Parse returns after it has printed what --help or --version asks for.
var ErrPrinted = errors.New("printed what was asked for")

// Parse sets the fields of p.Own and p.Shared: from flags, else from environment variables, else from defaults.
func (p Program) Parse(args []string, stdout io.Writer) error {
	printed := false
	parser, err := p.parser(kong.Writers(stdout, stdout), kong.Exit(func(int) { printed = true }))
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	if printed {
		return ErrPrinted
	}
	if err != nil {
		return nameVariables(err, parser.Model.Flags)
	}
	errs := validateFlags(parser.Model.Flags)
	for _, config := range []any{p.Own, p.Shared} {
		if v, ok := config.(interface{ Validate() error }); ok {
			errs = append(errs, v.Validate())
		}
	}
	return errors.Join(errs...)
}

// The groups of --help.
const (
	ownGroup    = "own"
	sharedGroup = "shared"
)

func (p Program) parser(options ...kong.Option) (*kong.Kong, error) {
	if t := reflect.TypeOf(p.Own); t != nil && (t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct) {
		return nil, fmt.Errorf("the settings must be a pointer to a struct, not %s", t)
	}
	if p.Own != nil {
		options = append(options, kong.Embed(p.Own, fmt.Sprintf(`group:%q prefix:"%s-"`, ownGroup, p.Name)))
	}
	options = append(options,
		FromFiles(),
		kong.Embed(p.Shared, fmt.Sprintf("group:%q", sharedGroup)),
		kong.Name(p.Name),
		kong.Description("Each setting is an environment variable and, overriding it, a flag. NAME_FILE names a file with the value of NAME."),
		kong.ExplicitGroups([]kong.Group{
			{Key: ownGroup, Title: "Settings of " + p.Name + ":"},
			{Key: sharedGroup, Title: "Settings of every service:"},
		}),
		kong.Vars(p.Vars),
		kong.Vars{"version": p.Name + " " + p.Version},
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

// nameFlags gives flags with the tag name that name: kong puts the prefix before it. It also reports names that own and
// shared settings have in common, which kong does not compare.
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

// FromFiles returns the option with which a program that calls kong itself reads settings from files, as Parse does.
func FromFiles() kong.Option {
	return kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, variable := range flag.Envs {
			path := os.Getenv(variable + "_FILE")
			if path == "" {
				continue
			}
			if os.Getenv(variable) != "" {
				return nil, fmt.Errorf("set either %s or %[1]s_FILE", variable)
			}
			content, err := os.ReadFile(path) //nolint:gosec // the user names it
			if err != nil {
				return nil, fmt.Errorf("read %s_FILE: %w", variable, err)
			}
			text := strings.TrimRight(string(content), "\r\n")
			if strings.ContainsAny(text, "\r\n\x00") { // a key or a database, which errors would quote
				return nil, fmt.Errorf("read %s_FILE: %s has more than a line: it must hold the value of %[1]s", variable, path)
			}
			return text, nil
		}
		return nil, nil
	}))
}

// formatHelp puts the environment variable first, because most services are configured by it.
func formatHelp(value *kong.Value) string {
	if len(value.Tag.Envs) == 0 {
		return value.Help
	}
	text := value.Tag.Envs[0] + ": " + value.Help
	if rules := value.Tag.Get("validate"); strings.Contains(rules, "oneof=") {
		text += " Allowed: " + allowed(rules) + "."
	}
	return text
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
