package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"

	"example.com/warren/test/bench/internal/example"
)

// counter counts the bytes read through it.
type counter struct {
	r io.Reader
	n int
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// readResponse reads the only response on a connection and returns its size, headers included.
func readResponse(conn io.Reader, request *http.Request) (int, error) {
	counted := &counter{r: conn}
	response, err := http.ReadResponse(bufio.NewReader(counted), request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%w %d: %s", errStatus, response.StatusCode, body)
	}
	return counted.n, checkBody(request.URL.Path, body)
}

// checkBody checks that a response to orderPath is an order.
func checkBody(path string, body []byte) error {
	if path == orderPath && len(body) != example.Bytes {
		return fmt.Errorf("body of %d bytes: %.200s", len(body), body)
	}
	return nil
}
