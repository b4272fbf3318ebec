//go:build !unix

package doctor

import "errors"

func maxFiles() (uint64, error) { return 0, errors.New("this system has no limit that can be read") }
