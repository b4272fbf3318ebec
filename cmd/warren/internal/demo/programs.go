package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// findPrograms returns the paths of the services' programs in folder. Default: the folder of this program.
func findPrograms(folder string, specs []spec) ([]string, error) {
	if folder == "" {
		var err error
		if folder, err = ownFolder(); err != nil {
			return nil, err
		}
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	var programs []string
	for _, s := range specs {
		path, err := exec.LookPath(filepath.Join(folder, s.service.Name))
		if err != nil {
			return nil, fmt.Errorf("%w: build the services with make build, or name their folder with --bin", err)
		}
		programs = append(programs, path)
	}
	return programs, nil
}

func ownFolder() (string, error) {
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", fmt.Errorf("find the folder of this program: %w", err)
	}
	return filepath.Dir(path), nil
}
