package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
)

// write encodes first and answers then, so that an answer is never cut short by its own encoding. Paths keep their & and
// <: an answer is JSON, not HTML.
func write(c *gin.Context, status int, contentType string, answer any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		panic(fmt.Errorf("encoding an answer: %w", err)) // a fault of ours: catchPanic answers
	}
	c.Data(status, contentType, body.Bytes())
}

// plainly has an operation's answer keep its & and < as they are, where the generated code escapes them for HTML.
func plainly(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	if operation == "StreamJobEvents" { // which writes for itself, and needs the connection's own writer
		return next
	}
	return func(c *gin.Context, request any) (any, error) {
		c.Writer = plainWriter{c.Writer}
		return next(c, request)
	}
}

// plainWriter unescapes JSON that is written whole, as the generated code does it.
type plainWriter struct{ gin.ResponseWriter }

// Unwrap is for http.ResponseController.
func (w plainWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w plainWriter) Write(p []byte) (int, error) {
	if w.Header().Get("Content-Type") != "application/json" {
		return w.ResponseWriter.Write(p)
	}
	if _, err := w.ResponseWriter.Write(plain(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// plain undoes what encoding/json does to & < and > for the sake of HTML. In JSON a backslash is only ever the beginning of an escape.
func plain(encoded []byte) []byte {
	out := make([]byte, 0, len(encoded))
	for i := 0; i < len(encoded); i++ {
		if encoded[i] != '\\' || i+1 == len(encoded) {
			out = append(out, encoded[i])
			continue
		}
		if character, is := escapedForHTML(encoded[i:]); is {
			out, i = append(out, character), i+len(`\u0026`)-1
			continue
		}
		out, i = append(out, encoded[i], encoded[i+1]), i+1
	}
	return out
}

func escapedForHTML(s []byte) (byte, bool) {
	for _, character := range []byte("&<>") {
		if bytes.HasPrefix(s, fmt.Appendf(nil, `\u%04x`, character)) {
			return character, true
		}
	}
	return 0, false
}
