package demo

import (
	"os/exec"
	"testing"
)

func TestCommandLine(t *testing.T) {
	const weird = `it's $HOME; "x" \ ` + "`y`\n*"
	tests := map[string]struct {
		env  []string
		args []string
		want string
	}{
		"plain":       {args: []string{"/bin/things", "--a=b"}, want: "/bin/things --a=b"},
		"environment": {env: []string{"URL=amqp://u:p@h:1/", "EMPTY="}, args: []string{"x"}, want: "URL=amqp://u:p@h:1/ EMPTY='' x"},
		"equals sign": {env: []string{"A=b=c"}, args: []string{"x"}, want: "A=b=c x"},
		"space":       {env: []string{"A=b c"}, args: []string{"/my bin/x"}, want: "A='b c' '/my bin/x'"},
		"quote":       {args: []string{"it's"}, want: `'it'\''s'`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := commandLine(test.env, test.args); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	t.Run("shell", func(t *testing.T) {
		line := commandLine([]string{"A=" + weird}, []string{"sh", "-c", `printf %s "$A"`})
		got, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != weird {
			t.Errorf("the shell makes %q of %q", got, weird)
		}
	})
}
