package keyring

import (
	"strings"
	"testing"
)

func TestDirectoryWithoutKeyThatIsReadOnly(t *testing.T) {
	directory := "/proc/self/fdinfo" // no user may create files there
	_, err := open(directory, EdDSA)
	if err == nil || !strings.Contains(err.Error(), "no key of EdDSA, and none can be made") {
		t.Errorf("got %v", err)
	}
}
