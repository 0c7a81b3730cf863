// Command registry-with-referrers is a registry that has the referrers API of OCI 1.1 and keeps
// its content over restarts. Blobs are files; the library keeps manifests in memory only, so every
// write of one is journalled and played back at the next start.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// write is one change of a manifest, as a client sent it.
type write struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	ContentType string `json:"contentType"`
	Body        []byte `json:"body"`
}

// journalled passes requests on and records the writes of manifests that succeeded.
type journalled struct {
	next    http.Handler
	mu      sync.Mutex
	journal *os.File
}

func main() {
	address := flag.String("address", "127.0.0.1:5001", "where to listen")
	directory := flag.String("directory", "", "where to keep blobs and the journal of manifests")
	flag.Parse()
	if err := serve(*address, *directory); err != nil {
		log.Fatal(err)
	}
}

func serve(address, directory string) error {
	if directory == "" {
		return errors.New("no -directory given: name the folder that keeps the images")
	}
	blobs := filepath.Join(directory, "blobs")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	backend := registry.New(
		registry.WithReferrersSupport(true),
		registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)),
	)
	path := filepath.Join(directory, "manifests.jsonl")
	if err := replay(path, backend); err != nil {
		return err
	}
	journal, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer journal.Close()
	server := &http.Server{
		Addr:              address,
		Handler:           &journalled{next: &typed{backend}, journal: journal},
		ReadHeaderTimeout: 10 * time.Second,
	}
	return server.ListenAndServe()
}

// replay feeds the journal to the backend. A last line cut short by a kill is skipped: its client
// never got an answer.
func replay(path string, backend http.Handler) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return dropTail(path, file, line)
		}
		if err != nil {
			return err
		}
		var w write
		if err := json.Unmarshal(line, &w); err != nil {
			return fmt.Errorf("%s holds a line that is no manifest: %w", path, err)
		}
		request := httptest.NewRequest(w.Method, w.Path, bytes.NewReader(w.Body))
		request.Header.Set("Content-Type", w.ContentType)
		backend.ServeHTTP(httptest.NewRecorder(), request)
	}
}

func dropTail(path string, file *os.File, tail []byte) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()-int64(len(tail)))
}

func (j *journalled) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if !changesManifest(request) {
		j.next.ServeHTTP(response, request)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, 16<<20))
	if err != nil {
		http.Error(response, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	// One at a time, so that the journal has the order in which the backend saw them.
	j.mu.Lock()
	defer j.mu.Unlock()
	recorder := httptest.NewRecorder()
	j.next.ServeHTTP(recorder, request)
	if recorder.Code < http.StatusMultipleChoices {
		err = j.record(write{request.Method, request.URL.Path, request.Header.Get("Content-Type"), body})
		if err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	for key, values := range recorder.Header() {
		response.Header()[key] = values
	}
	response.WriteHeader(recorder.Code)
	_, _ = response.Write(recorder.Body.Bytes())
}

func (j *journalled) record(w write) error {
	line, err := json.Marshal(w)
	if err != nil {
		return err
	}
	_, err = j.journal.Write(append(line, '\n'))
	return err
}

func changesManifest(request *http.Request) bool {
	return strings.Contains(request.URL.Path, "/manifests/") &&
		(request.Method == http.MethodPut || request.Method == http.MethodDelete)
}
