package main

import "github.com/ketter/ketter/infra/redact"

func printable(s string) string      { return redact.Printable(s) }
func printableLines(s string) string { return redact.PrintableLines(s) }
