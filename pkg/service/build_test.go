package service

import (
	"bytes"
	"context"
	"io"
	"runtime/debug"
	"testing"
)

func TestBuild(t *testing.T) {
	tests := map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"tag": {
			info: debug.BuildInfo{
				Main:     debug.Module{Version: "v0.1.0"},
				Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "1a9100d2f3c4b5a69788"}, {Key: "vcs.modified", Value: "false"}},
			},
			want: "v0.1.0 (1a9100d2f3c4)",
		},
		"changed files": {
			info: debug.BuildInfo{
				Main:     debug.Module{Version: "(devel)"},
				Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "1a9100d"}, {Key: "vcs.modified", Value: "true"}},
			},
			want: "(devel) (1a9100d+modified)",
		},
		"no repository": {want: "(devel) (unknown)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := newBuild(&test.info).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestBuildOfLinker(t *testing.T) {
	version, commit = "v0.2.0", "1a9100d2f3c4b5a69788"
	t.Cleanup(func() { version, commit = "", "" })
	info := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}
	if got, want := newBuild(info).String(), "v0.2.0 (1a9100d2f3c4)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVersionFlag(t *testing.T) {
	t.Setenv("RPC_TIMEOUT", "nonsense")
	t.Setenv("VERSION", "2") // not a setting
	var stdout, stderr bytes.Buffer
	o := newOptions([]Option{WithOutput(&stdout, &stderr)})
	if status := exitStatus(context.Background(), ordersService(&ordersConfig{}), []string{"--version"}, o); status != 0 {
		t.Errorf("status %d", status)
	}
	if got, want := stdout.String(), "orders "+ReadBuild().String()+"\n"; got != want || stderr.Len() > 0 {
		t.Errorf("stdout %q, want %q; stderr %q", got, want, &stderr)
	}
	if err := Run(t.Context(), ordersService(nil), []string{"--version"}, WithOutput(io.Discard, io.Discard)); err != nil {
		t.Error(err)
	}
}
