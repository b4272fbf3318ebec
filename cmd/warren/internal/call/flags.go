package call

import (
	"encoding/json"
	"errors"
	"fmt"
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
	if err := ctx.Scan.PopValueInto("text or @FILE", &text); err != nil {
		return err
	}
	if path, isFile := strings.CutPrefix(text, "@"); isFile {
		*c, err = os.ReadFile(path)
		return err
	}
	*c = content(text)
	return nil
}

// identity is a flag with a caller's identity as access-control.validateToken returns it; nil: none. Services that verify
// identities take only its assertion.
type identity struct{ *rpc.Identity }

// Decode implements kong.MapperValue.
func (i *identity) Decode(ctx *kong.DecodeContext) error {
	var text content
	if err := text.Decode(ctx); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &i.Identity); err != nil {
		return fmt.Errorf("read the JSON of an identity: %w", err)
	}
	if i.Identity == nil || i.Subject+i.Assertion == "" {
		return errors.New("there is neither an assertion nor a subject")
	}
	return nil
}
