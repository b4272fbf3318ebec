package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// writeSecrets writes what compose.yaml needs outside the demo into a folder of the repository: a broker URL with a random
// password for each service, and the broker's definitions with their hashes. A URL that is there stays as it is, so that a
// new service gets its own without changing the others'.
func writeSecrets(ctx context.Context, root, folder string) error {
	services, err := describeServices(ctx, root)
	if err != nil {
		return err
	}
	return secretFiles(services, filepath.Join(root, folder))
}

// secretFiles writes files that all users may read, because the containers run as other users, in a folder that only its
// owner may open.
func secretFiles(services []description, folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"urls", "definitions"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil { //nolint:gosec // see above
			return err
		}
	}
	passwords := map[string]string{}
	for _, s := range services {
		password, err := brokerPassword(s, filepath.Join(folder, "urls", s.Name))
		if err != nil {
			return err
		}
		passwords[s.Name] = password
	}
	definitions, err := brokerDefinitions(services, func(s description) string { return passwords[s.Name] })
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "definitions", "services.json"), definitions, 0o644) //nolint:gosec // see above
}

// brokerPassword returns the password in the URL that the file at path holds. It writes the file if there is none.
func brokerPassword(s description, path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		password := rand.Text()
		return password, os.WriteFile(path, []byte(s.brokerURL(password)), 0o644) //nolint:gosec // see above
	}
	if err != nil {
		return "", err
	}
	if u, err := url.Parse(strings.TrimSpace(string(text))); err == nil && u.User.Username() == s.Name {
		if password, _ := u.User.Password(); password != "" {
			return password, nil
		}
	}
	return "", fmt.Errorf("%s holds no URL of the form amqp://%s:password@host:5672/", path, s.Name)
}
