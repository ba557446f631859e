package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
)

// The codes that only HTTP has. They stand beside failure's codes in docs/api.md.
const (
	codeNotFound             failure.Code = "not_found"
	codeMethodNotAllowed     failure.Code = "method_not_allowed"
	codeBodyTooLarge         failure.Code = "body_too_large"
	codeUnsupportedMediaType failure.Code = "unsupported_media_type"
	codeDatabaseUnavailable  failure.Code = "database_unavailable"
	codeNoMoreStreams        failure.Code = "no_more_streams"
)

// ownCodes returns the codes that failure's table doesn't know.
func ownCodes() []failure.Code {
	return []failure.Code{
		codeNotFound, codeMethodNotAllowed, codeBodyTooLarge, codeUnsupportedMediaType, codeDatabaseUnavailable, codeNoMoreStreams,
	}
}

// meaning returns what follows from a code in an answer.
func meaning(code failure.Code) (status int, title, hint string) {
	switch code {
	case codeNotFound:
		return http.StatusNotFound, "Not found", "GET / lists the routes, GET /jobs the jobs."
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed, "Method not allowed", "Use one of the methods in the Allow header."
	case codeBodyTooLarge:
		return http.StatusRequestEntityTooLarge, "The body is too large", "A job is a few lines of JSON; post one job at a time."
	case codeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType, "The body is not declared as JSON",
			"Send it with curl -H 'Content-Type: application/json'."
	case codeDatabaseUnavailable:
		return http.StatusServiceUnavailable, "The database does not answer",
			"GET /readyz says when it is back. A job that was submitted with an Idempotency-Key can be submitted again; " +
				"without one, look for it in GET /jobs first."
	case codeNoMoreStreams:
		return http.StatusServiceUnavailable, "No more live streams can be opened now",
			"Close some that nobody looks at, or ask for GET /jobs/{id} now and then. A new stream may be had later."
	case failure.Internal:
		return code.HTTPStatus(), code.Title(), "The API's log holds the whole error under this request_id."
	}
	return code.HTTPStatus(), code.Title(), code.Hint()
}

// fail answers with err, as RFC 9457 has it. It is the only place that does.
func (a *api) fail(c *gin.Context, err error) {
	f := failureOf(err)
	status, title, hint := meaning(f.Code)
	if status >= http.StatusInternalServerError {
		a.Logger.Error().Err(err).Str("request_id", requestID(c)).Str("code", string(f.Code)).Msg("a request failed")
	}
	if status == http.StatusServiceUnavailable {
		c.Header("Retry-After", "5")
	}
	if f.Hint != "" {
		hint = f.Hint
	}
	c.Header("Cache-Control", "no-store")
	write(c, status, "application/problem+json", Problem{
		Type: "urn:ketter:problem:" + string(f.Code), Title: title, Status: status, Detail: f.Message,
		Code: f.Code, Hint: hint, Path: f.Path, RequestID: requestID(c),
	})
}

// failureOf gives err a code and a sentence that is fit for a stranger.
func failureOf(err error) *failure.Error {
	var known *failure.Error
	switch {
	case errors.As(err, &known) && known.Code != failure.Internal:
		return &failure.Error{Code: known.Code, Path: known.Path, Message: withFullStop(known), Hint: known.Hint}
	case errors.Is(err, db.ErrNotFound):
		return failure.New(codeNotFound, "", "There is no such job.")
	case known != nil, refusedByDatabase(err):
		return failure.New(failure.Internal, "", "Something went wrong inside Ketter.")
	}
	return failure.New(codeDatabaseUnavailable, "", "The database does not answer. Try again in a few seconds.")
}

// withFullStop is the failure's sentence as one that stands alone. One about a path may end with it, and stays as it is.
func withFullStop(f *failure.Error) string {
	sentence := f.Sentence()
	if f.Path == "" && !strings.HasSuffix(sentence, ".") {
		sentence += "."
	}
	return sentence
}

// refusedByDatabase tells a database that answered, and refused a statement, from one that can't be worked with. The
// classes are those of PostgreSQL's appendix A: 08 connection, 28 credentials, 3D no such database, 53 resources, 57
// operator (starting up, shutting down, cancelled).
func refusedByDatabase(err error) bool {
	var answer interface{ SQLState() string } // pgx's errors have it
	if !errors.As(err, &answer) || len(answer.SQLState()) < 2 {
		return false
	}
	return !slices.Contains([]string{"08", "28", "3D", "53", "57"}, answer.SQLState()[:2])
}

func invalid(format string, args ...any) error {
	return failure.New(failure.InvalidRequest, "", fmt.Sprintf(format, args...))
}

func noRoute(c *gin.Context) error {
	return failure.New(codeNotFound, "", fmt.Sprintf("There is nothing at %s.", short(c.Request.URL.Path)))
}

func noMethod(c *gin.Context) error {
	sentence := fmt.Sprintf("%s is not possible at %s.", short(c.Request.Method), short(c.Request.URL.Path))
	return failure.New(codeMethodNotAllowed, "", sentence)
}

// short quotes what a caller sent, and only so much of it that the sentence stays one.
func short(sent string) string {
	const most = 80
	if len(sent) > most {
		return fmt.Sprintf("%q…", sent[:most])
	}
	return fmt.Sprintf("%q", sent)
}
