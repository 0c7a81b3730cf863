package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// RevisionHost is where the Service of the revision is: by the variable that the kubelet sets, for
// the local cluster has no DNS, else by its name.
func RevisionHost(getenv func(string) string) string {
	name := strings.ToUpper(strings.ReplaceAll(getenv("IMMUTABLE_REVISION"), "-", "_"))
	if host := getenv(name + "_SERVICE_HOST"); host != "" {
		return host
	}
	return getenv("IMMUTABLE_ADDRESS")
}

// Check asks a URL once, as a smoke test does; what it says ends up in the message of the Pod.
func Check(url, wanted string, client *http.Client) error {
	answer, err := client.Get(url)
	if err != nil {
		return fmt.Errorf("the check got no answer: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return fmt.Errorf("the check got half an answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the check got %d, expected 200", answer.StatusCode)
	}
	if !strings.Contains(string(body), wanted) {
		return fmt.Errorf("the check wanted %q, got %q", wanted, strings.TrimSpace(string(body)))
	}
	return nil
}

func newCheckClient() *http.Client { return &http.Client{Timeout: 5 * time.Second} }
