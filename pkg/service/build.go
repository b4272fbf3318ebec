package service

import (
	"cmp"
	"runtime/debug"
)

// Build says which code a program was built from.
type Build struct {
	Version string // "v0.1.0": what the build was given, or that of the main module; "(devel)" without either
	Commit  string // "1a9100d2f3c4", with "+modified" if files had changed since; "unknown" without a repository
}

// make build and the images set these with -ldflags "-X example.com/warren/pkg/service.commit=…".
var version, commit string

// ReadBuild returns what the Go toolchain recorded in this program.
func ReadBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return newBuild(info)
}

func newBuild(info *debug.BuildInfo) Build {
	vcs := map[string]string{}
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	revision := cmp.Or(commit, vcs["vcs.revision"], "unknown")
	b := Build{Version: cmp.Or(version, info.Main.Version, "(devel)"), Commit: revision[:min(12, len(revision))]}
	if vcs["vcs.modified"] == "true" {
		b.Commit += "+modified"
	}
	return b
}

// String returns "v0.1.0 (1a9100d2f3c4)".
func (b Build) String() string { return b.Version + " (" + b.Commit + ")" }
