package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/infra/config"
)

func newConfigCommand() *cobra.Command {
	var markdown, asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show every variable Ketter reads, the value in force and what it is for",
		Long:  "Shows every variable Ketter reads, the value in force, and what it is for. Passwords are left out.",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if markdown {
				return printConfigMarkdown(cmd.OutOrStdout())
			}
			if asJSON {
				return printConfigJSON(cmd.OutOrStdout())
			}
			return printConfig(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print docs/configuration.md")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: docs/cli-json.md")
	return cmd
}

func printConfig(out io.Writer) error {
	_, settings, err := config.Load(os.Environ())
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		origin := "default"
		if s.FromEnvironment {
			origin = "environment"
		}
		value := s.Value
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, value, origin)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, s := range settings {
		fmt.Fprintf(out, "%s: %s\n", s.Name, strings.ReplaceAll(s.Description, "`", ""))
	}
	for _, name := range config.Unknown(os.Environ()) {
		fmt.Fprintf(out, "\n%s is set, but Ketter does not know it. A typing error?\n", name)
	}
	return nil
}

func printConfigMarkdown(out io.Writer) error {
	_, err := fmt.Fprint(out, "# Configuration\n\n"+
		"Ketter is configured by its environment. `ketter config` shows the values in force.\n"+
		"This page is made of the list in `infra/config/variables.go` by `task generate`.\n\n"+config.Markdown())
	return err
}

func printConfigJSON(out io.Writer) error {
	_, settings, err := config.Load(os.Environ())
	if err != nil {
		return err
	}
	type variable struct {
		Name            string `json:"name"`
		Value           string `json:"value"`
		FromEnvironment bool   `json:"from_environment"`
		Description     string `json:"description"`
	}
	all := make([]variable, len(settings))
	for i, s := range settings {
		all[i] = variable{s.Name, s.Value, s.FromEnvironment, s.Description}
	}
	unknown := append([]string{}, config.Unknown(os.Environ())...) // never null
	return printJSON(out, map[string]any{"variables": all, "unknown": unknown})
}

func newVersionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Show the version", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]string{"version": version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "ketter %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: docs/cli-json.md")
	return cmd
}
