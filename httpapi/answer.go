package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gin-gonic/gin"
)

func writeJSON(c *gin.Context, status int, answer any) { write(c, status, "application/json", answer) }

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
