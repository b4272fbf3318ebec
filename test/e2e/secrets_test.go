package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

const wrongPassword = "Tr0ub4dor-and-3"

// TestSecretsStaySecret searches everything that a run at log level debug wrote for tokens and passwords: logs, files,
// responses, dead-lettered messages, and the messages to orders.
func TestSecretsStaySecret(t *testing.T) {
	settings := []string{"LOG_LEVEL=debug", "RPC_DELIVERY_LIMIT=1", "RPC_TIMEOUT=10s", "GATEWAY_TOKEN_CACHE=0s"}
	s := suite.StartSystem(t, settings...)
	user := s.API.Login(t, "demo")
	forged := user
	forged.Token = user.Token[:len(user.Token)-8] + "AAAAAAAA"
	wrong := fmt.Sprintf(`{"username":"demo","password":%q}`, wrongPassword)

	responses := []system.Response{
		user.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", ""),
		user.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", newOrder),
		user.Want(t, http.StatusUnprocessableEntity, http.MethodPost, "/v1/orders", "{}"),
		user.Want(t, http.StatusNotFound, http.MethodGet, "/v1/orders/0190a6d0-0000-7000-8000-00000000dead", ""),
		user.Want(t, http.StatusNotFound, http.MethodGet, "/v1/nothing", ""),
		forged.Want(t, http.StatusUnauthorized, http.MethodGet, "/v1/orders", ""),
		s.API.Want(t, http.StatusUnauthorized, http.MethodPost, "/v1/login", wrong),
	}

	s.Orders.Stop(t)
	requests := map[string]string{"orders.getAll": http.MethodGet, "orders.create": http.MethodPost}
	texts := map[string]string{}
	var unanswered []<-chan system.Response
	orders := connectAs(t, "orders")
	for queue, method := range requests {
		unanswered = append(unanswered, call(t, user, method, "/v1/orders", newOrder))
		texts["a message of "+queue] = fmt.Sprintf("%+v", take(t, orders, queue, 1))
	}

	// Requests that crash their process. They are dead-lettered or dropped.
	unanswered = append(unanswered, call(t, user, http.MethodPost, "/v1/orders", newOrder))
	crash(t, "orders", "orders.create")
	s.StartOrders(t)
	texts["a dead-lettered message"] = fmt.Sprintf("%+v", take(t, orders, "orders.create.dead", 1))
	s.AccessControl.Stop(t)
	unanswered = append(unanswered, call(t, user, http.MethodGet, "/v1/orders", ""), call(t, s.API, http.MethodPost, "/v1/login", wrong))
	crash(t, "access-control", "access-control.validateToken")
	crash(t, "access-control", "access-control.login")
	again := suite.Start(t, "access-control", s.Dir, settings...)
	again.AwaitReady(t)
	for _, queue := range []string{"access-control.validateToken", "access-control.login"} {
		awaittest.Success(t, queue+" empty", suite.Holds(queue, 0))
		if n, err := suite.Messages(t.Context(), queue+".dead"); err == nil {
			t.Errorf("there is a queue %s.dead, with %d messages", queue, n)
		}
	}
	if got := strings.Count(again.Output(), "message dropped"); got != 2 {
		t.Errorf("access-control dropped %d messages, want 2:\n%s", got, again.Output())
	}
	for _, c := range unanswered {
		responses = append(responses, awaittest.Receive(t, c, "the end of the call"))
	}
	responses = append(responses, user.Want(t, http.StatusNoContent, http.MethodPost, "/v1/logout", ""))
	for i, r := range responses {
		texts[fmt.Sprintf("response %d", i)] = fmt.Sprintf("%v %s", r.Header, r.Body)
	}

	for _, p := range append(s.Processes(), again) {
		p.Stop(t)
		texts["the log of "+p.Service] += p.Output()
	}
	maps.Copy(texts, readFiles(t, s.Dir))
	secrets := []string{wrongPassword}
	for _, token := range []string{user.Token, forged.Token} {
		_, claims, _ := strings.Cut(token, ".")
		payload, signature, _ := strings.Cut(claims, ".")
		secrets = append(secrets, payload, signature)
	}
	for where, text := range texts {
		if text == "" {
			t.Errorf("nothing was written to %s", where)
		}
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds a secret:\n%s", where, text)
			}
		}
	}
}

const newOrder = `{"currency":"EUR","items":[{"sku":"teapot","quantity":1}]}`

// call makes a call in the background.
func call(t *testing.T, u system.API, method, path, body string) <-chan system.Response {
	t.Helper()
	responses := make(chan system.Response, 1)
	go func() {
		r, err := u.Call(t.Context(), method, path, body)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		responses <- r
	}()
	return responses
}

// readFiles returns the contents of a folder's files, except of empty ones.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if content = bytes.TrimSpace(content); len(content) > 0 {
			files[path] = string(content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
