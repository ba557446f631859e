package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

func printPortals(out io.Writer, portals []client.Portal) error {
	if len(portals) == 0 {
		_, err := fmt.Fprintln(out, "There is no portal yet; `ketter portals add --help` shows how to make one.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tKIND\tLABEL\tCREDENTIAL\tPLACE")
	for _, p := range portals {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", printable(p.Name), printable(string(p.Kind)),
			printable(orDash(p.WorkerLabel)), printable(credentialOf(p)), printable(placeOf(p)))
	}
	return table.Flush()
}

func printPortal(out io.Writer, p client.Portal) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, printable(value)) }
	line("name", fmt.Sprintf("%s (id %d)", p.Name, p.ID))
	line("kind", string(p.Kind))
	line("place", placeOf(p))
	if p.Kind == transfer.SFTPPortal {
		line("host key", strings.Join(p.HostKeyFingerprints, " "))
		line("credential", credentialOf(p))
		line("connections", fmt.Sprintf("%d at most", p.MaxConnections))
		line("agent", agentOf(p))
	}
	line("worker label", orDash(p.WorkerLabel))
	line("zip thresholds", fmt.Sprintf("%s files, %s bytes on average", orOwn(p.ZipThresholdFiles), orOwn(p.ZipThresholdAvgSizeBytes)))
	line("changed", p.UpdatedAt.Local().Format("2006-01-02 15:04:05"))
	return table.Flush()
}

// placeOf is as scp writes it, with a port where it isn't the usual one.
func placeOf(p client.Portal) string {
	if p.Host == nil || p.Username == nil || p.Port == nil {
		return p.RootPath
	}
	host := *p.Host
	if *p.Port != 22 {
		host = net.JoinHostPort(host, strconv.Itoa(*p.Port))
	}
	return *p.Username + "@" + host + ":" + p.RootPath
}

func credentialOf(p client.Portal) string {
	kind := string(p.Credential.Kind)
	if !p.Credential.Readable {
		kind += " (key lost)"
	}
	return kind
}

func agentOf(p client.Portal) string {
	switch {
	case p.AgentPath != nil:
		return *p.AgentPath
	case p.SendAgent:
		return "the one there, else Ketter brings its own"
	}
	return "the one there, if any"
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func orOwn(n *int64) string {
	if n == nil {
		return "Ketter's"
	}
	return strconv.FormatInt(*n, 10)
}

func printReport(out io.Writer, report client.PortalReport) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, check := range report.Checks {
		verdict := "ok"
		if !check.OK {
			verdict = "FAILED"
		}
		fmt.Fprintf(table, "%s\t%s\t%.3f s\t%s\n", verdict, printable(check.Name), check.Seconds, printable(check.Message))
		if check.Hint != "" {
			fmt.Fprintf(table, "\t\t\thint: %s\n", printable(check.Hint))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if report.Via == "" {
		return nil
	}
	fmt.Fprintf(out, "reached by %s, %.1f ms a round trip", printable(report.Via), report.LatencySeconds*1000)
	if report.FreeBytes >= 0 {
		fmt.Fprintf(out, ", %s free", bytesText(report.FreeBytes))
	}
	fmt.Fprintln(out)
	for _, list := range []struct {
		name  string
		words []string
	}{{"missing there", report.ExtensionsMissing}, {"tools there", report.Tools}} {
		if len(list.words) > 0 {
			fmt.Fprintf(out, "%s: %s\n", list.name, printable(strings.Join(list.words, ", ")))
		}
	}
	return nil
}
