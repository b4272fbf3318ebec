package create

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/alecthomas/kong"
	"golang.org/x/mod/module"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/origin"
	"example.com/warren/cmd/warren/internal/remove"
	"example.com/warren/cmd/warren/internal/rename"
	"example.com/warren/cmd/warren/internal/shellword"
)

// folderPermissions are those of the system's folder.
const folderPermissions = 0o755

type systemCommand struct {
	Module         string `arg:"" help:"What the module paths are to begin with, such as github.com/acme/shop."`
	Folder         string `arg:"" help:"Where to put the system: a folder that is empty or does not exist."`
	Name           string `help:"The product's name in texts, containers, volumes and tokens. Default: the last element of the module path."`
	WithoutSamples bool   `help:"Leave out the service that only shows how services are made: orders."`
	From           string `placeholder:"SOURCE" help:"Checkout or git URL to copy. Default: the checkout that the working directory is in."`
	Ref            string `placeholder:"REF" help:"Branch, tag or commit to copy. Default: the last commit."`
}

// Help follows the flags of warren new system --help.
func (*systemCommand) Help() string {
	return `It copies what is committed, renames it, and makes the first commit of a new git repository.

Example:
  warren new system github.com/acme/shop ../shop --without-samples`
}

// Run makes the system. If it fails, the folder is as it was.
func (c *systemCommand) Run(ctx context.Context, k *kong.Context) (err error) {
	if c.Name == "" {
		withoutVersion, _, _ := module.SplitPathVersion(c.Module)
		c.Name = path.Base(withoutVersion)
	}
	if err := rename.Check(c.Module, c.Name); err != nil {
		return err
	}
	if c.From == "" {
		if c.From, err = change.Root(); err != nil {
			return change.Refuse("%v: name one with --from", err)
		}
	}
	if _, err := change.Git(ctx, ".", "var", "GIT_AUTHOR_IDENT"); err != nil {
		return change.Refuse("git does not know you, the author of the first commit: set user.name and user.email with git config --global")
	}
	restore, err := claim(c.Folder)
	if err != nil {
		return err
	}
	done := change.Begin("copy the template and rename it")
	version, err := c.make(ctx)
	done()
	if err != nil {
		return errors.Join(err, restore())
	}
	texts := ""
	if c.WithoutSamples {
		texts = "\n  git grep -nw " + origin.Sample + " -- '*.md' # texts about the sample"
	}
	_, err = fmt.Fprintf(k.Stdout, `Copied version %s to %[2]s, renamed it and committed it.
%[3]s

Next:
  cd %[2]s
  make demo%[4]s

Undo:
  rm -r %[2]s
`, version, shellword.Quote(c.Folder), rename.Kept, texts)
	return err
}

// make copies the template to the folder and returns its version.
func (c *systemCommand) make(ctx context.Context) (version string, err error) {
	if _, err := change.Git(ctx, ".", "clone", "--quiet", "--no-checkout", "--", c.From, c.Folder); err != nil {
		return "", change.Refuse("copy the template: %v", err)
	}
	if _, err := change.Git(ctx, c.Folder, "checkout", "--quiet", cmp.Or(c.Ref, "HEAD"), "--"); err != nil {
		return "", change.Refuse("copy the template: %v", err)
	}
	tree, err := change.OpenTree(c.Folder)
	if err != nil {
		return "", change.Refuse("copy the template, which is no Warren system: %v", err)
	}
	o, err := origin.Read(tree)
	if err != nil {
		return "", err
	}
	source := tree.Module
	version = origin.Describe(ctx, c.Folder)
	o.Version = cmp.Or(o.Version, version)
	if c.WithoutSamples && tree.Exists("services/"+origin.Sample) {
		if _, err := remove.Service(ctx, tree, origin.Sample); err != nil {
			return "", fmt.Errorf("remove %s: %w", origin.Sample, err)
		}
	}
	if err := errors.Join(
		tree.Remove(".git"),
		rename.Tree(tree, o, c.Module, c.Name, false),
		tree.Write("CHANGELOG.md", []byte("# Changelog\n\n## Unreleased\n")),
	); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all", "--force"}, // what the template has, whatever the user's own git ignores
		{"commit", "--quiet", "--message=Start " + c.Module + " from " + source + " " + version},
	} {
		if _, err := change.Git(ctx, c.Folder, args...); err != nil {
			return "", err
		}
	}
	return version, nil
}

// claim makes a folder, or takes one that is empty. restore takes back what was done to it.
func claim(folder string) (restore func() error, err error) {
	made := os.Mkdir(folder, folderPermissions) == nil
	files, err := os.ReadDir(folder)
	if err != nil || len(files) > 0 {
		return nil, change.Refuse("%s is neither an empty folder nor one that can be made", folder)
	}
	return func() error {
		files, err := os.ReadDir(folder)
		for _, file := range files {
			err = errors.Join(err, os.RemoveAll(filepath.Join(folder, file.Name())))
		}
		if made {
			err = errors.Join(err, os.Remove(folder))
		}
		return err
	}, nil
}
