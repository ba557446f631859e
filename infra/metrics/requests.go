package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Requests counts what the API is asked: it is an httpapi.Meter.
type Requests struct {
	answered *prometheus.CounterVec
	took     *prometheus.HistogramVec
	streams  prometheus.Gauge
}

// Requests makes an API's metrics.
func (m *Metrics) Requests() *Requests {
	r := &Requests{
		answered: counter("ketter_http_requests_total", "Requests that this API has answered.", "method", "route", "status"),
		took: histogram("ketter_http_request_duration_seconds", "How long answers took, live streams aside.",
			prometheus.DefBuckets, "method", "route"),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "ketter_http_streams", Help: "Live streams that are open."}),
	}
	m.registry.MustRegister(r.answered, r.took, r.streams)
	return r
}

// Answered counts an answer. The route is the one that is registered, never the path that was asked for; empty: none.
func (r *Requests) Answered(method, route string, status int) {
	r.answered.WithLabelValues(methodLabel(method), routeLabel(route), class(status)).Inc()
}

// Took takes note of how long an answer took.
func (r *Requests) Took(method, route string, took time.Duration) {
	r.took.WithLabelValues(methodLabel(method), routeLabel(route)).Observe(took.Seconds())
}

// StreamOpened counts a live stream in.
func (r *Requests) StreamOpened() { r.streams.Inc() }

// StreamClosed counts it out.
func (r *Requests) StreamClosed() { r.streams.Dec() }

func methodLabel(method string) string {
	return among([]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}, method)
}

func routeLabel(route string) string {
	if route == "" {
		return none
	}
	return route
}

// class is 2xx of 201.
func class(status int) string {
	if status < 100 || status > 599 {
		return other
	}
	return strconv.Itoa(status/100) + "xx"
}
