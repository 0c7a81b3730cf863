package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass(seconds int) { c.at = c.at.Add(time.Duration(seconds) * time.Second) }

func behaviour(t *testing.T, pairs ...string) Behaviour {
	t.Helper()
	read, err := ReadBehaviour(environmentOf(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func environmentOf(pairs ...string) func(string) string {
	values := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func status(life *Life, path string) int {
	recorder := httptest.NewRecorder()
	Handler(life, "pod-1").ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder.Code
}

func TestFailsOnlySoLongAfterTheFirstVisitAndStaysReady(t *testing.T) {
	at := &clock{}
	life := NewLife(behaviour(t, "FAIL_AFTER=15"), at.now, func(int) {})
	at.pass(60)
	if got := status(life, "/healthz"); got != 200 {
		t.Fatalf("probes alone must not start the countdown, got %d", got)
	}
	status(life, "/")
	at.pass(14)
	if got := status(life, "/"); got != 200 {
		t.Fatalf("it is too early to fail, got %d", got)
	}
	at.pass(1)
	for path, want := range map[string]int{"/": 500, "/healthz": 500, "/readyz": 200} {
		if got := status(life, path); got != want {
			t.Errorf("%s: got %d, expected %d", path, got, want)
		}
	}
}

func TestCrashesAfterTheFirstVisitAndAtEveryStartFromThenOn(t *testing.T) {
	directory := t.TempDir()
	settings := behaviour(t, "CRASH_AFTER=0.001", "STATE_DIR="+directory)
	codes := make(chan int, 2)
	exit := func(code int) { codes <- code }
	life := NewLife(settings, time.Now, exit)
	if len(codes) != 0 {
		t.Fatal("it crashed before anybody visited it")
	}
	status(life, "/")
	if code := <-codes; code != 1 {
		t.Fatalf("exit code: got %d, expected 1", code)
	}
	NewLife(settings, time.Now, exit)
	if len(codes) != 1 {
		t.Fatal("it started again after it had crashed")
	}
}

func TestReadinessWaitsForASlowStart(t *testing.T) {
	at := &clock{}
	life := NewLife(behaviour(t, "SLOW_START=2"), at.now, func(int) {})
	if got := status(life, "/readyz"); got != 500 {
		t.Fatalf("got %d, expected 500 while it starts", got)
	}
	at.pass(2)
	if got := status(life, "/readyz"); got != 200 {
		t.Fatalf("got %d, expected 200 once it started", got)
	}
}

func TestTheGreetingFileIsReadForEveryRequest(t *testing.T) {
	file := t.TempDir() + "/greeting"
	life := NewLife(behaviour(t, "GREETING=no", "GREETING_FILE="+file), time.Now, func(int) {})
	for _, text := range []string{"hello", "good bye"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := life.Greeting(); got != text {
			t.Fatalf("got %q, expected %q", got, text)
		}
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	for _, pair := range []string{"FAIL_AFTER=soon", "DRAIN=-1", "CRASH_AFTER=5"} {
		if _, err := ReadBehaviour(environmentOf(pair)); err == nil {
			t.Errorf("%s was accepted", pair)
		}
	}
}

func TestCountsWhatUsersWereAnsweredAndNoProbes(t *testing.T) {
	at := &clock{at: time.Now()}
	handler := Handler(NewLife(behaviour(t, "FAIL_AFTER=15"), at.now, func(int) {}), "pod-1")
	get := func(path string) string {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		return recorder.Body.String()
	}
	get("/")
	get("/")
	at.pass(15)
	get("/")
	get("/healthz")
	scraped := get("/metrics")
	for _, line := range []string{
		`http_requests_total{code="200"} 2`,
		`http_requests_total{code="500"} 1`,
		`http_request_duration_seconds_bucket{le="+Inf"} 3`,
		`http_request_duration_seconds_count 3`,
	} {
		if !strings.Contains(scraped, line+"\n") {
			t.Errorf("no line %s in:\n%s", line, scraped)
		}
	}
}

func TestTheServiceOfARevisionIsFoundWithoutDNSAndWith(t *testing.T) {
	told := []string{"IMMUTABLE_REVISION=shop-0a", "IMMUTABLE_ADDRESS=shop-0a.web.svc"}
	if got := RevisionHost(environmentOf(told...)); got != "shop-0a.web.svc" {
		t.Errorf("got %q", got)
	}
	told = append(told, "SHOP_0A_SERVICE_HOST=10.0.0.7")
	if got := RevisionHost(environmentOf(told...)); got != "10.0.0.7" {
		t.Errorf("got %q", got)
	}
}

func TestACheckWantsAnAnswerAndSaysWhatItGot(t *testing.T) {
	life := NewLife(behaviour(t, "VERSION=v7", "UNHEALTHY=yes"), time.Now, func(int) {})
	server := httptest.NewServer(Handler(life, "pod-1"))
	defer server.Close()
	if err := Check(server.URL+"/", "v7", server.Client()); err != nil {
		t.Errorf("expected to pass, got %v", err)
	}
	for path, want := range map[string]string{"/": `wanted "v8"`, "/healthz": "got 500, expected 200"} {
		err := Check(server.URL+path, "v8", server.Client())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, expected %q", path, err, want)
		}
	}
	server.Close()
	if err := Check(server.URL, "", server.Client()); err == nil {
		t.Error("nobody answers, and the check passed")
	}
}
