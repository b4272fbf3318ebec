package skeleton

import "embed"

// Files are the files of a new service: all but this one.
//
//go:embed demo.go skeleton.go skeleton_test.go cmd internal
var Files embed.FS
