package architecture

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestMakefile checks what make would run, by its variables.
func TestMakefile(t *testing.T) {
	tests := []struct {
		args []string
		runs []string
		not  string
	}{
		{[]string{"demo"}, []string{"go build -v ", "bin/warren demo --broker=inmem --addr="}, "--log-level"},
		{[]string{"demo", "LOG_LEVEL=info"}, []string{" --log-level=info\n"}, "--log-level= "},
		{[]string{"demo", "BROKER=rabbitmq", "LOG_LEVEL=debug"}, []string{"go build -v ", " --log-level=debug\n"}, "inmem"},
		{[]string{"test"}, []string{"cd tools ", " ./pkg/... ", " ./services/gateway/... "}, "no rule"},
		{[]string{"test", "PACKAGES=./services/gateway/..."}, []string{" ./services/gateway/...\n"}, "cd tools"},
		{[]string{"test", "PACKAGES=./services/gateway/..."}, nil, "./pkg/"},
		{[]string{"help"}, []string{"make test PACKAGES=./services/gateway/...", "go test work"}, "no rule"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "make", append([]string{"--dry-run", "--directory=" + root}, test.args...)...)
			cmd.Env = slices.DeleteFunc(os.Environ(), func(setting string) bool { // those of a make that runs this test
				return strings.HasPrefix(setting, "MAKE") || strings.HasPrefix(setting, "MFLAGS=") || strings.HasPrefix(setting, "LOG_LEVEL=")
			})
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range test.runs {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if strings.Contains(string(out), test.not) {
				t.Errorf("%q in\n%s", test.not, out)
			}
		})
	}
}
