package main

import (
	"encoding/json"
	"io"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// What --json prints is a contract: docs/cli-json.md.

// printJSON writes one document, for reading too.
func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

type fields map[string]any

// jsonLine writes one of many, which says what it is.
func jsonLine(out io.Writer, kind string, f fields) error {
	f["message_type"] = kind
	return printLine(out, f)
}

func printLine(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

func progressFields(p transfer.Progress) fields {
	return fields{
		"phase": p.Phase, "files_done": p.FilesDone, "files_total": p.FilesTotal, "bytes_done": p.BytesDone, "bytes_total": p.BytesTotal,
		"bytes_per_second": p.BytesPerSecond, "seconds_left": p.Left.Seconds(),
	}
}

func errorFields(f *failure.Error) fields {
	return fields{"code": f.Code, "message": f.Sentence(), "path": f.Path, "hint": f.Advice()}
}
