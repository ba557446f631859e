package testdb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Explainer is a database handle (a db.DBTX) that explains each statement as it runs it, with what was read in fact. All
// of it is one transaction, which is rolled back when the test ends.
type Explainer struct {
	t    *testing.T
	tx   pgx.Tx
	told int // statements so far
	// Plans are those of the statements since it was last emptied.
	Plans []Plan
}

// Explain makes an Explainer. A general plan is the one that PostgreSQL makes for any parameters, once it has seen a
// statement some times; otherwise each plan is made for the parameters at hand.
func Explain(t *testing.T, url string, general bool) *Explainer {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // rolls back, too
	mode := "force_custom_plan"
	if general {
		mode = "force_generic_plan"
	}
	if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = "+mode+"; SET jit = off"); err != nil { // jit as in db.Open
		t.Fatal(err)
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &Explainer{t: t, tx: tx}
}

// Exec implements db.DBTX.
func (e *Explainer) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	e.explain(ctx, sql, args)
	return e.tx.Exec(ctx, sql, args...)
}

// Query implements db.DBTX.
func (e *Explainer) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	e.explain(ctx, sql, args)
	return e.tx.Query(ctx, sql, args...)
}

// QueryRow implements db.DBTX.
func (e *Explainer) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	e.explain(ctx, sql, args)
	return e.tx.QueryRow(ctx, sql, args...)
}

// explain runs the statement and takes that back, so that it can run once more. The statement is prepared, and executed by
// SQL, because EXPLAIN of a bare statement never shows its general plan.
func (e *Explainer) explain(ctx context.Context, sql string, args []any) {
	e.t.Helper()
	e.told++
	name := fmt.Sprintf("explained_%d", e.told)
	if _, err := e.tx.Prepare(ctx, name, sql); err != nil {
		e.t.Fatalf("preparing %s: %v", sql, err)
	}
	execute := "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE " + name
	if len(args) > 0 {
		execute += "(" + parameters(len(args)) + ")"
	}
	trial, err := e.tx.Begin(ctx)
	if err != nil {
		e.t.Fatal(err)
	}
	var raw []byte
	err = trial.QueryRow(ctx, execute, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...).Scan(&raw)
	if err != nil {
		e.t.Fatalf("explaining %s: %v", sql, err)
	}
	if err := trial.Rollback(ctx); err != nil {
		e.t.Fatal(err)
	}
	var plans []Plan
	if err := json.Unmarshal(raw, &plans); err != nil {
		e.t.Fatal(err)
	}
	for _, plan := range plans {
		plan.SQL = sql
		e.Plans = append(e.Plans, plan)
	}
}

// parameters is "$1, $2" for 2.
func parameters(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(all, ", ")
}

// Plan is how a statement was run.
type Plan struct {
	SQL          string
	Root         Node    `json:"Plan"`
	Milliseconds float64 `json:"Execution Time"`
}

// Node is a step of a plan, as PostgreSQL tells it. Rows are those of one loop, on average.
type Node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []Node
}

// Each calls fn for a node and all below it.
func (n Node) Each(fn func(Node)) {
	fn(n)
	for _, below := range n.Plans {
		below.Each(fn)
	}
}

// Read is how many rows of a table a plan has looked at, through indexes or not.
func (p Plan) Read(table string) (rows float64) {
	p.Root.Each(func(n Node) {
		if n.Relation == table && strings.Contains(n.Type, "Scan") {
			rows += (n.Rows + n.Removed) * n.Loops
		}
	})
	return rows
}

// ReadsWhole reports whether a plan reads a table from end to end.
func (p Plan) ReadsWhole(table string) (whole bool) {
	p.Root.Each(func(n Node) { whole = whole || n.Type == "Seq Scan" && n.Relation == table && n.Loops > 0 })
	return whole
}

// Sorted is how many rows a plan has sorted.
func (p Plan) Sorted() (rows float64) {
	p.Root.Each(func(n Node) {
		if strings.Contains(n.Type, "Sort") {
			for _, below := range n.Plans {
				rows += below.Rows * below.Loops
			}
		}
	})
	return rows
}

// String is the plan's steps, a line each.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, p.SQL)
	p.Root.Each(func(n Node) {
		fmt.Fprintf(&b, "  %s %s %s: %.0f rows, %.0f removed, %.0f loops\n", n.Type, n.Relation, n.Index, n.Rows, n.Removed, n.Loops)
	})
	return b.String()
}
