// Package completion makes shells complete the commands of warren.
package completion

import (
	"os"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/posener/complete"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/source"
)

// Command is warren completion.
type Command struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help implements kong.HelpProvider.
func (*Command) Help() string {
	return "Examples, for this shell or its start-up file:\n\n" +
		"  source <(bin/warren completion bash)\n  source <(bin/warren completion zsh)\n  bin/warren completion fish | source"
}

// Run prints the code.
func (c *Command) Run(k *kong.Context) error {
	return (&kongcompletion.Completion{Shell: c.Shell, Code: true}).Run(k)
}

// Register completes the command line and ends the process, if a shell has started it for that.
func Register(parser *kong.Kong) {
	kongcompletion.Register(parser, kongcompletion.WithPredictor("method", complete.PredictFunc(methods)))
}

func methods(complete.Args) []string {
	root, err := change.Root()
	if err != nil {
		return nil
	}
	return source.Queues(os.DirFS(root))
}
