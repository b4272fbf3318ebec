package call

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/warren/pkg/rpc"
)

// pairs is a flag NAME=VALUE that may be repeated.
type pairs map[string][]string

// Decode implements kong.MapperValue.
func (p *pairs) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("NAME=VALUE", &text); err != nil {
		return err
	}
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("must be NAME=VALUE, is %q", text)
	}
	if *p == nil {
		*p = pairs{}
	}
	(*p)[name] = append((*p)[name], value)
	return nil
}

// content is a flag whose value is a text, or that of a file.
type content []byte

// Decode implements kong.MapperValue.
func (c *content) Decode(ctx *kong.DecodeContext) (err error) {
	var text string
	if err := ctx.Scan.PopValueInto("text, @FILE or -", &text); err != nil {
		return err
	}
	path, isFile := strings.CutPrefix(text, "@")
	switch {
	case isFile:
		*c, err = os.ReadFile(path)
	case text == "-":
		*c, err = io.ReadAll(os.Stdin)
	default:
		*c = content(text)
	}
	return err
}

// identity is a flag with a caller's identity as JSON; nil: none.
type identity struct{ *rpc.Identity }

// Decode implements kong.MapperValue.
func (i *identity) Decode(ctx *kong.DecodeContext) error {
	var text content
	err := text.Decode(ctx)
	if err != nil {
		return err
	}
	var token tokenState
	if err := json.Unmarshal(text, &token); err != nil {
		return fmt.Errorf("read the JSON of an identity: %w", err)
	}
	i.Identity, err = token.identity()
	return err
}
