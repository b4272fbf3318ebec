package system

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging"
)

// Traces is what a system left behind, by where: logs, files, responses and messages.
type Traces map[string]string

// AddMessages adds messages of a queue.
func (w Traces) AddMessages(queue string, messages []messaging.Message) {
	w["messages of "+queue] = fmt.Sprintf("%+v", messages)
}

// AddResponses adds HTTP responses.
func (w Traces) AddResponses(responses []Response) {
	for i, r := range responses {
		w[fmt.Sprintf("response %d", i)] = fmt.Sprintf("%v %s", r.Header, r.Body)
	}
}

// AddSystem stops processes and adds their logs, and the files in dir that are not empty.
func (w Traces) AddSystem(t *testing.T, dir string, processes ...*Process) {
	t.Helper()
	for _, p := range processes {
		p.Stop(t)
		w["the log of "+p.Service] += p.Output()
	}
	files := os.DirFS(dir)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if content = bytes.TrimSpace(content); len(content) > 0 {
			w[path] = string(content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Check fails the test if a trace is empty, or holds a secret. Of a token, payload and signature are one each.
func (w Traces) Check(t *testing.T, secrets ...string) {
	t.Helper()
	var parts []string
	for _, secret := range secrets {
		whole, signed, isToken := strings.Cut(secret, ".")
		if isToken {
			parts = append(parts, strings.Split(signed, ".")...)
		} else {
			parts = append(parts, whole)
		}
	}
	for where, text := range w {
		if text == "" {
			t.Errorf("nothing was written to %s", where)
		}
		for _, secret := range parts {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds a secret:\n%s", where, text)
			}
		}
	}
}
