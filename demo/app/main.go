// Command app is what the demo and the end-to-end tests release: a web server that says which
// version it is, and that can be told to misbehave in the ways real versions do.
//
//	/         who answers: version, Pod, greeting; 500 once the version fails
//	/healthz  for probes of the operator: 500 once the version fails
//	/readyz   for the kubelet: readiness alone
//	/metrics  for Prometheus: what users of `/` were answered, and how fast
//
// With CHECK it is a smoke test instead: it asks its revision that path once, wants WANTED in the
// answer, and ends.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if path := os.Getenv("CHECK"); path != "" {
		return Check("http://"+RevisionHost(os.Getenv)+path, os.Getenv("WANTED"), newCheckClient())
	}
	behaviour, err := ReadBehaviour(os.Getenv)
	if err != nil {
		return err
	}
	life := NewLife(behaviour, time.Now, os.Exit)
	server := &http.Server{
		Addr:              ":8080",
		Handler:           Handler(life, os.Getenv("HOSTNAME")),
		ReadHeaderTimeout: 5 * time.Second,
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	fmt.Printf("version %s listens on %s\n", behaviour.Version, server.Addr)
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
		return drain(server, behaviour.Drain)
	}
}

// drain goes on serving for a while, then waits for what is under way.
func drain(server *http.Server, wait time.Duration) error {
	time.Sleep(wait)
	deadline, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Handler answers for one version.
func Handler(life *Life, pod string) http.Handler {
	mux := http.NewServeMux()
	metrics := NewMetrics()
	mux.HandleFunc("/{$}", func(writer http.ResponseWriter, _ *http.Request) {
		began := time.Now()
		life.Visit()
		code := http.StatusOK
		if life.Failing() {
			code = http.StatusInternalServerError
		}
		defer func() { metrics.Observe(code, time.Since(began)) }()
		writer.Header().Set("Content-Type", "application/json")
		writer.WriteHeader(code)
		_ = json.NewEncoder(writer).Encode(map[string]string{
			"version":  life.behaviour.Version,
			"pod":      pod,
			"greeting": life.Greeting(),
		})
	})
	mux.HandleFunc("/healthz", func(writer http.ResponseWriter, _ *http.Request) {
		answer(writer, life.Healthy())
	})
	mux.HandleFunc("/readyz", func(writer http.ResponseWriter, _ *http.Request) {
		answer(writer, life.Ready())
	})
	mux.HandleFunc("/metrics", func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_ = metrics.Write(writer)
	})
	return mux
}

func answer(writer http.ResponseWriter, fine bool) {
	if fine {
		fmt.Fprintln(writer, "ok")
		return
	}
	http.Error(writer, "not ok", http.StatusInternalServerError)
}
