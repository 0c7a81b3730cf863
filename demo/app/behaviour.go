package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Behaviour is how this version conducts itself. All of it comes from the environment, so that two
// images differ in nothing but the environment baked into them.
type Behaviour struct {
	Version string
	// Seconds after the first visit until `/` and `/healthz` answer 500; readiness stays fine, so
	// that only somebody who asks the Pod itself finds out. Zero: never.
	FailAfter time.Duration
	// Seconds after the first visit until the process exits, and exits at every start after that.
	// Zero: never. Needs StateDir.
	CrashAfter time.Duration
	// Exit right at the start.
	CrashOnStart bool
	// Answer 500 to `/healthz` from the start, and everything else as it should be.
	Unhealthy bool
	// Never become ready.
	NotReady bool
	// Seconds from the start until `/readyz` and `/healthz` answer 200.
	SlowStart time.Duration
	// How long requests are still served after SIGTERM: proxies need that to look elsewhere.
	Drain time.Duration
	// Survives a restart of the container, not of the Pod.
	StateDir string
	// Shown on `/`; a file wins over the plain value and is read for every request.
	Greeting     string
	GreetingFile string
}

// ReadBehaviour reads it from the environment.
func ReadBehaviour(getenv func(string) string) (Behaviour, error) {
	reader := environment{getenv: getenv}
	behaviour := Behaviour{
		Version:      getenv("VERSION"),
		FailAfter:    reader.seconds("FAIL_AFTER", 0),
		CrashAfter:   reader.seconds("CRASH_AFTER", 0),
		CrashOnStart: getenv("CRASH_ON_START") != "",
		Unhealthy:    getenv("UNHEALTHY") != "",
		NotReady:     getenv("NOT_READY") != "",
		SlowStart:    reader.seconds("SLOW_START", 0),
		Drain:        reader.seconds("DRAIN", 3*time.Second),
		StateDir:     getenv("STATE_DIR"),
		Greeting:     getenv("GREETING"),
		GreetingFile: getenv("GREETING_FILE"),
	}
	if reader.err == nil && behaviour.CrashAfter > 0 && behaviour.StateDir == "" {
		return behaviour, fmt.Errorf("CRASH_AFTER needs STATE_DIR, where the crash is remembered")
	}
	return behaviour, reader.err
}

type environment struct {
	getenv func(string) string
	err    error
}

func (e *environment) seconds(name string, unset time.Duration) time.Duration {
	text := e.getenv(name)
	if text == "" {
		return unset
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds < 0 {
		e.err = fmt.Errorf("%s is a number of seconds, got %q", name, text)
	}
	return time.Duration(seconds * float64(time.Second))
}

// Life is the time that has passed for one process: when it started and when it was first visited.
type Life struct {
	behaviour Behaviour
	started   time.Time
	now       func() time.Time
	exit      func(code int)

	first   sync.Once
	mutex   sync.Mutex
	visited time.Time
}

// NewLife begins now; it exits at once if that is how the version behaves.
func NewLife(behaviour Behaviour, now func() time.Time, exit func(int)) *Life {
	life := &Life{behaviour: behaviour, started: now(), now: now, exit: exit}
	if behaviour.CrashOnStart || life.crashedBefore() {
		exit(1)
	}
	return life
}

// Visit notes a request that is not a probe.
func (l *Life) Visit() {
	l.first.Do(func() {
		l.mutex.Lock()
		l.visited = l.now()
		l.mutex.Unlock()
		if l.behaviour.CrashAfter > 0 {
			time.AfterFunc(l.behaviour.CrashAfter, l.crash)
		}
	})
}

// Failing tells whether the version has begun to answer 500.
func (l *Life) Failing() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.behaviour.FailAfter == 0 || l.visited.IsZero() {
		return false
	}
	return l.now().Sub(l.visited) >= l.behaviour.FailAfter
}

// Ready tells whether the version wants requests.
func (l *Life) Ready() bool {
	return !l.behaviour.NotReady && l.now().Sub(l.started) >= l.behaviour.SlowStart
}

// Healthy tells what the version says of itself when it is asked.
func (l *Life) Healthy() bool {
	return !l.behaviour.Unhealthy && l.Ready() && !l.Failing()
}

// Greeting is the configured text as it is now.
func (l *Life) Greeting() string {
	if l.behaviour.GreetingFile == "" {
		return l.behaviour.Greeting
	}
	text, err := os.ReadFile(l.behaviour.GreetingFile)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (l *Life) crash() {
	if err := os.WriteFile(l.marker(), nil, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, "the crash cannot be remembered:", err)
	}
	fmt.Fprintf(os.Stderr, "version %s crashes, as it was told to\n", l.behaviour.Version)
	l.exit(1)
}

func (l *Life) crashedBefore() bool {
	if l.behaviour.StateDir == "" {
		return false
	}
	_, err := os.Stat(l.marker())
	return err == nil
}

func (l *Life) marker() string {
	return filepath.Join(l.behaviour.StateDir, "crashed")
}
