package metrics

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// scrapes is how many may be answered at once; one more is told to come back.
const scrapes = 4

// Metrics is all that a process tells.
type Metrics struct{ registry *prometheus.Registry }

// New makes those that every process has: what it is, and what it takes of the machine.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ketter_build_info", Help: "Which Ketter this process is; always 1.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers a scrape. What could not be read is left out, and logged.
func (m *Metrics) Handler(logger zerolog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{logger},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapes,
	})
}

// scrapeLog is promhttp's logger.
type scrapeLog struct{ zerolog.Logger }

func (l scrapeLog) Println(words ...any) {
	l.Warn().Any("error", words).Msg("metrics could not all be told")
}

// pairs calls fn for each strategy that a run may follow with each method that may come of it.
func pairs(fn func(strategy, method string)) {
	for _, strategy := range strategies {
		for _, method := range methods {
			fn(string(strategy), string(method))
		}
	}
}
