package metrics

import "github.com/prometheus/client_golang/prometheus"

// Pool is how a process's connections to the database are used.
type Pool struct {
	Acquired, Idle, Most int32
	Acquires             int64   // since the process began
	Waits                int64   // of these, those that found no connection free
	WaitSeconds          float64 // and how long they waited, together
}

type poolCollector struct {
	read func() Pool

	connections, most, acquires, waits, waited *prometheus.Desc
}

// Pool makes the metrics of the process's connections to the database.
func (m *Metrics) Pool(read func() Pool) {
	m.registry.MustRegister(&poolCollector{
		read:        read,
		connections: desc("ketter_database_pool_connections", "This process's connections to the database.", "state"),
		most:        desc("ketter_database_pool_max_connections", "How many connections to the database this process may have."),
		acquires:    desc("ketter_database_pool_acquires_total", "How often a connection was taken from the pool."),
		waits:       desc("ketter_database_pool_waits_total", "How often none was free, so that somebody waited."),
		waited:      desc("ketter_database_pool_wait_seconds_total", "How long they waited, together."),
	})
}

func (c *poolCollector) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connections, c.most, c.acquires, c.waits, c.waited} {
		all <- d
	}
}

func (c *poolCollector) Collect(out chan<- prometheus.Metric) {
	pool := c.read()
	gauge(out, c.connections, float64(pool.Acquired), "acquired")
	gauge(out, c.connections, float64(pool.Idle), "idle")
	gauge(out, c.most, float64(pool.Most))
	total(out, c.acquires, float64(pool.Acquires))
	total(out, c.waits, float64(pool.Waits))
	total(out, c.waited, pool.WaitSeconds)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func total(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}
