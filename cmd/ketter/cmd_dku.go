package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ketter/ketter/dku"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/infra/config"
)

type dkuOptions struct {
	api, reportDir string
	noSmoke, json  bool
}

func newDKUCommand() *cobra.Command {
	var options dkuOptions
	cmd := &cobra.Command{
		Use:   "dku",
		Short: "Check a running installation from end to end",
		Long: `Checks this host, PostgreSQL, Redis, the API, the workers and the storages, and then copies and moves a small tree by real
jobs. Each check has a verdict, a figure and what to do. A part that is dead is a verdict, never a hang: the whole takes less than
` + dku.Limit.String() + `. What it makes it removes; its jobs stay in the history.

It asks what DB_URL, REDIS_URL, KETTER_LISTEN and KETTER_ALLOWED_ROOTS name; without a DB_URL, the ` + "`ketter up`" + ` that runs on
KETTER_STATE_DIR. The report is written to --report-dir, as text and as JSON, with all secrets left out.

EXIT STATUS
   0  all is ok
   1  there are warnings
   2  there are failures, or the report could not be written`,
		Example: `  1. Is all well?
     ketter dku
  2. Without jobs, for a program:
     ketter dku --no-smoke --json
  3. Of an API elsewhere:
     DB_URL=postgres://ketter@db/ketter REDIS_URL=redis://redis ketter dku --api http://ketter.studio.example:8000`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDKU(cmd.Context(), cmd.OutOrStdout(), options) },
	}
	cmd.Flags().StringVar(&options.api, "api", "", "the API to ask, as http://127.0.0.1:8000 (else that of a running ketter up, else the one that KETTER_LISTEN names)")
	cmd.Flags().StringVar(&options.reportDir, "report-dir", filepath.Join("docs", "dku_reports"), "folder for the reports, which is made")
	cmd.Flags().BoolVar(&options.noSmoke, "no-smoke", false, "run no jobs")
	cmd.Flags().BoolVar(&options.json, "json", false, "print the JSON report instead of a table")
	return cmd
}

func runDKU(ctx context.Context, out io.Writer, options dkuOptions) error {
	target, err := options.target()
	if err != nil {
		return err
	}
	probe := dku.NewProbe(ctx, target)
	defer probe.Close()
	table := newTable(out)
	if options.json {
		table.Out = io.Discard
	}
	report := runChecks(ctx, probe, table)
	if options.json {
		if err := printReportJSON(out, report); err != nil {
			return err
		}
	}
	table.End(report)
	if err := writeReport(table.Out, report, options.reportDir); err != nil {
		return err
	}
	if report.ExitStatus != 0 {
		return &exitError{status: report.ExitStatus}
	}
	return nil
}

func writeReport(out io.Writer, report dku.Report, dir string) error {
	paths, err := report.Write(dir)
	if err != nil {
		return &failure.Error{Code: failure.InvalidRequest, Message: "The report could not be written: " + err.Error(), Err: err,
			Hint: "Choose a folder that can be written to: --report-dir FOLDER"}
	}
	fmt.Fprintf(out, "\nReport: %s\n", printable(strings.Join(paths, ", ")))
	return nil
}

func runChecks(ctx context.Context, probe *dku.Probe, table dku.Table) dku.Report {
	host, _ := os.Hostname() // an empty one is shown as such
	checks, began := probe.Checks(), time.Now()
	var findings []dku.Finding
	dku.Run(ctx, checks, probe.Redactor(), func(found []dku.Finding) {
		findings = append(findings, found...)
		table.Add(found)
	})
	return probe.Report(host, began, time.Since(began), checks, findings)
}

// target is what the environment, a running `ketter up` and the flags name, in the order of who counts last.
func (o dkuOptions) target() (dku.Target, error) {
	c, err := loadConfig()
	if err != nil {
		return dku.Target{}, err
	}
	foundIn := "KETTER_ALLOWED_ROOTS"
	if len(c.AllowedRoots) == 0 {
		foundIn = "the `ketter up` that runs on " + c.StateDir
	}
	api, err := findServices(&c)
	if err != nil {
		return dku.Target{}, err
	}
	api = firstOf(o.api, api, ownAPI(c, c.Listen))
	asking, err := askingOptions(c, api)
	if err != nil {
		return dku.Target{}, err
	}
	return dku.Target{
		Version: version, DBURL: c.DBURL, RedisURL: c.RedisURL, API: api, Asking: asking,
		Roots: c.AllowedRoots, FoundIn: foundIn, Queues: c.Queues, NoSmoke: o.noSmoke, SecretTexts: secretTexts(c),
	}, nil
}

// secretTexts are those of the environment that no report may hold.
func secretTexts(c config.Config) []string {
	token, _ := ownToken(c) // whose error was told of
	return append(strings.FieldsFunc(string(c.SecretKey), func(r rune) bool { return r == ',' }), string(c.SecretKey), token)
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// newTable has colours and fits its lines only where a person looks at it.
func newTable(out io.Writer) dku.Table {
	table := dku.Table{Out: out}
	file, isFile := out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return table
	}
	table.Colour = os.Getenv("NO_COLOR") == ""
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		table.Width = width
	}
	return table
}

func printReportJSON(out io.Writer, report dku.Report) error {
	text, err := report.JSON()
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}
