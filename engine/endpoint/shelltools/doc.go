// Package shelltools gives a folder on a far host the bulk abilities of package endpoint by what such a host has anyway: tar,
// else unzip, and xxh64sum. It is for accounts that may start commands and hosts that have no ketter.
//
// Every command line is a constant. The folder and all names travel on its input, in a form that no shell takes for anything
// but text: see line.go. What a tool says is never read for its meaning: after a failure the package looks, through the
// folder that it decorates, at what is there.
//
// It never replaces a file, and follows no symbolic link that was there when it looked; but the far host's tools open files
// by path, so someone who swaps a folder for a link in the very moment is believed, as he is by SFTP itself.
package shelltools
