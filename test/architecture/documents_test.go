package architecture

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	reasonInCode  = regexp.MustCompile(`WithReason\("([^"]+)"\)`)
	reasonInTable = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [0-9]{3} \\| (?:([a-z0-9-]+): )?")
)

// TestProblemsAreDocumented compares the reasons in the code with the tables of docs/problems.md. Rows of a service that was removed
// may stay.
func TestProblemsAreDocumented(t *testing.T) {
	used := map[string]bool{}
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "test/") {
			continue
		}
		for _, match := range reasonInCode.FindAllStringSubmatch(read(t, file), -1) {
			used[match[1]] = true
		}
	}
	documented := map[string]bool{}
	for _, row := range reasonInTable.FindAllStringSubmatch(read(t, "docs/problems.md"), -1) {
		if service := row[2]; service == "" || exists("services/"+service) {
			documented[row[1]] = true
		}
	}
	if len(used) < 10 {
		t.Fatalf("found only the reasons %v", used)
	}
	for reason := range used {
		if !documented[reason] {
			t.Errorf("docs/problems.md does not have the reason %s", reason)
		}
	}
	for reason := range documented {
		if !used[reason] {
			t.Errorf("docs/problems.md has the reason %s, which no code uses", reason)
		}
	}
}

var (
	declaredTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	namedTest    = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)(…?)`")
	// ofService is the folder of a service, or of tests that need it.
	ofService = regexp.MustCompile("`(?:services|test)/([a-z0-9-]+)/[^`]+`")
)

// TestDocumentsNameTestsThatExist finds tests that were renamed or deleted while a document still quotes them. A name that
// ends in an ellipsis stands for all tests that begin with it. Names behind the folder of a service that was removed may stay.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	var declared []string
	for _, file := range files(t, "_test.go") {
		for _, match := range declaredTest.FindAllStringSubmatch(read(t, file), -1) {
			declared = append(declared, match[1])
		}
	}
	for _, file := range files(t, ".md") {
		text := read(t, file)
		for _, at := range namedTest.FindAllStringSubmatchIndex(text, -1) {
			name, isPrefix := text[at[2]:at[3]], at[4] < at[5]
			before := text[strings.LastIndexAny(text[:at[0]], ";|\n")+1 : at[0]]
			if !namesRemovedService(before) && !slices.ContainsFunc(declared, func(test string) bool {
				return test == name || isPrefix && strings.HasPrefix(test, name)
			}) {
				t.Errorf("%s names %s, which does not exist", file, name)
			}
		}
	}
}

// namesRemovedService reports whether text names a folder of a service that does not exist.
func namesRemovedService(text string) bool {
	folder := ofService.FindStringSubmatch(text)
	return folder != nil && !exists("services/"+folder[1]) && !exists("test/"+folder[1])
}

var link = regexp.MustCompile(`\]\(([^)\s#]+)(?:#[^)]*)?\)`)

// TestLinksLeadSomewhere checks the links between the files of the repository.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, file := range files(t, ".md") {
		for _, match := range link.FindAllStringSubmatch(read(t, file), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			target := path.Join(path.Dir(file), match[1])
			if !exists(target) {
				t.Errorf("%s links to %s, which does not exist", file, target)
			}
		}
	}
}

// files returns the repository's files whose names end in suffix, relative to its root.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && isLeftOut(entry.Name()):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(name, suffix):
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func exists(file string) bool {
	_, err := os.Stat(path.Join(root, file))
	return err == nil
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(path.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
