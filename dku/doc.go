// Package dku checks an installation from end to end and says what it found so that somebody under stress can act on it:
// each Check gives findings with a verdict, a figure and what to do.
//
// The list of checks is explicit (registry.go). They run side by side, each within its own deadline, and one that stands on
// another waits for that (run.go). Whatever is dead is a verdict: nothing here hangs, and nothing outlives Longest. A check
// that hangs in the kernel, on a storage that is gone, is left behind with its goroutine; the process is about to end.
//
// It never mends anything, never prints a secret (package redact), and changes nothing but what it removes again: hidden folders
// named .ketter-dku-*, a Redis key, and jobs of its own below such a folder, of which the rows stay in the history.
package dku
