package main

import (
	"fmt"
	"io"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Upper bounds in seconds of the latency histogram.
var bounds = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1}

// Metrics counts what users were answered, for Prometheus; probes are no users.
type Metrics struct {
	mutex   sync.Mutex
	codes   map[int]uint64
	buckets []uint64
	seconds float64
}

// NewMetrics has counted nothing yet.
func NewMetrics() *Metrics {
	// Present from the first scrape on, so that a rate has a beginning.
	codes := map[int]uint64{http.StatusOK: 0, http.StatusInternalServerError: 0}
	return &Metrics{codes: codes, buckets: make([]uint64, len(bounds)+1)}
}

// Observe counts one answer.
func (m *Metrics) Observe(code int, took time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.codes[code]++
	m.seconds += took.Seconds()
	m.buckets[sort.SearchFloat64s(bounds, took.Seconds())]++
}

// Write writes them in the text format:
// https://prometheus.io/docs/instrumenting/exposition_formats/
func (m *Metrics) Write(to io.Writer) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var text strings.Builder
	text.WriteString("# TYPE http_requests_total counter\n")
	for code, count := range m.codes {
		fmt.Fprintf(&text, "http_requests_total{code=\"%d\"} %d\n", code, count)
	}
	text.WriteString("# TYPE http_request_duration_seconds histogram\n")
	var count uint64
	for place, more := range m.buckets {
		count += more
		bound := "+Inf"
		if place < len(bounds) {
			bound = strconv.FormatFloat(bounds[place], 'g', -1, 64)
		}
		fmt.Fprintf(&text, "http_request_duration_seconds_bucket{le=\"%s\"} %d\n", bound, count)
	}
	fmt.Fprintf(&text, "http_request_duration_seconds_sum %g\n", m.seconds)
	fmt.Fprintf(&text, "http_request_duration_seconds_count %d\n", count)
	_, err := io.WriteString(to, text.String())
	return err
}
