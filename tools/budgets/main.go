// Command budgets prints how many lines each part of the template has, tests and test rigs left out, beside what it may have.
// It counts Go and the languages of web pages. make lint runs it. It fails if a part is too large: the template must stay small
// enough to be read.
//
// When a part no longer fits, look first for code that can go. A new capability brings a budget with it: raise the number
// in this file in the commit that adds it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
)

// part is a folder with all below it that is not a part itself.
type part struct {
	name   string
	folder string
	limit  int // 0: it is counted and not bounded
}

// A limit of two summands has an allowance, the second: lines that keep faults of RabbitMQ 3.10 to 4.3 and hostile messages out.
//
// parts may name services that were removed: a part without lines is not printed.
var parts = []part{
	{"pkg/messaging with inmem", "pkg/messaging", 950},
	{"pkg/messaging/driver", "pkg/messaging/driver", 0},
	{"pkg/messaging/deadletter", "pkg/messaging/deadletter", 0},
	{"pkg/messaging/rabbitmq", "pkg/messaging/rabbitmq", 2400 + 350},
	{"pkg/rpc", "pkg/rpc", 2000 + 200},
	{"pkg/service", "pkg/service", 1000},
	{"pkg/telemetry", "pkg/telemetry", 450},
	{"pkg, the rest", "pkg", 0},
	{"services/gateway", "services/gateway", 1300 + 200},
	{"services/orders", "services/orders", 1000},
	{"services/access-control", "services/access-control", 1500 + 150},
	{"services, the rest", "services", 0},
	{"cmd/warren", "cmd/warren", 2800},
	{"cmd/warren's console", "cmd/warren/internal/console", 1500},
	{"cmd/warren's console, the page", "cmd/warren/internal/console/web", 1500},
	{"cmd/warren's skeleton", "cmd/warren/internal/skeleton", 0},
}

// languages are the extensions of the files that are counted.
var languages = []string{".go", ".html", ".css", ".js"}

func main() {
	root := flag.String("root", "..", "the repository's folder")
	enforce := flag.Bool("enforce", true, "fail if a part is over its budget")
	flag.Parse()
	over, err := report(os.DirFS(*root))
	if err == nil && over > 0 && *enforce {
		err = fmt.Errorf("%d parts are over their budget", over)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "budgets:", err)
		os.Exit(1)
	}
}

// report prints the table and returns how many parts are over their budget.
func report(repository fs.FS) (over int, err error) {
	lines, err := countLines(repository)
	if err != nil {
		return 0, err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "lines without tests\tlines\tbudget\tleft")
	for _, p := range parts {
		n, exists := lines[p.name]
		if !exists {
			continue
		}
		if p.limit == 0 {
			_, _ = fmt.Fprintf(table, "%s\t%d\t\t\n", p.name, n)
			continue
		}
		verdict := ""
		if n > p.limit {
			verdict = "  over"
			over++
		}
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d%s\n", p.name, n, p.limit, p.limit-n, verdict)
	}
	return over, table.Flush()
}

// countLines returns the lines of each part, by its name.
func countLines(repository fs.FS) (map[string]int, error) {
	lines := map[string]int{}
	err := fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if isLeftOut(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(languages, path.Ext(name)) || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		p := partOf(name)
		if p == nil {
			return nil
		}
		text, err := fs.ReadFile(repository, name)
		lines[p.name] += bytes.Count(text, []byte("\n"))
		return err
	})
	return lines, err
}

// isLeftOut reports whether a folder holds test rigs, test data, or nothing of the project's.
func isLeftOut(folder string) bool {
	base := path.Base(folder)
	return strings.HasSuffix(base, "test") || base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") && base != "."
}

// partOf returns the part with the longest folder that name is below, or nil.
func partOf(name string) *part {
	var found *part
	longest := 0
	for i, p := range parts {
		if strings.HasPrefix(name, p.folder+"/") && len(p.folder) > longest {
			found, longest = &parts[i], len(p.folder)
		}
	}
	return found
}
