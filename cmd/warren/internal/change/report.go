package change

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// maxReported is the number of files that are reported one by one.
const maxReported = 25

// report says what was written, what to run next, and how to undo it.
func report(out io.Writer, before map[string]file, changes []fileChange, forced bool, next []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Wrote %d files:\n", len(changes))
	for _, line := range summary(before, changes) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	if len(next) > 0 {
		fmt.Fprintf(&b, "\nNext:\n  %s\n", strings.Join(next, "\n  "))
	}
	if forced {
		b.WriteString("\nTo undo it, see git status: files that were not committed before may be among these.\n")
	} else {
		b.WriteString("\nUndo:\n  git checkout . && git clean -fd\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// summary returns a line for each changed file. Files of a folder that is new, or gone, share one; so do those
// below each folder of the root if there are many.
func summary(before map[string]file, changes []fileChange) []string {
	after := maps.Clone(before)
	for _, c := range changes {
		if after[c.name] = c.after; c.after.content == nil {
			delete(after, c.name)
		}
	}
	foldersBefore, foldersAfter := folders(before), folders(after)
	var lines []string
	counts := map[string]int{}
	for _, c := range changes {
		line := "changed " + c.name
		if top, _, below := strings.Cut(c.name, "/"); below && len(changes) > maxReported {
			line = "changed " + top + "/"
		}
		switch {
		case c.before.content == nil:
			line = "added   " + topmost(c.name, foldersBefore)
		case c.after.content == nil:
			line = "removed " + topmost(c.name, foldersAfter)
		}
		if counts[line]++; counts[line] == 1 {
			lines = append(lines, line)
		}
	}
	for i, line := range lines {
		if n := counts[line]; n > 1 {
			lines[i] = fmt.Sprintf("%s (%d files)", line, n)
		}
	}
	slices.Sort(lines)
	return lines
}

// folders returns the folders that files are in.
func folders(files map[string]file) map[string]bool {
	found := map[string]bool{}
	for name := range files {
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			found[folder] = true
		}
	}
	return found
}

// topmost returns the topmost folder above a file that is not one of others, or the file.
func topmost(name string, others map[string]bool) string {
	top := name
	for folder := path.Dir(name); folder != "." && !others[folder]; folder = path.Dir(folder) {
		top = folder + "/"
	}
	return top
}
