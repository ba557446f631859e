package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ketter/ketter/engine/failure"
)

// Access says who is answered.
type Access struct {
	Tokens   Tokens   // nil: nobody is asked who he is
	Loopback bool     // it is listened on loopback, which web pages reach as well as this host's people
	Hosts    []string // names, in lower case, that the API is asked for by
}

// Tokens tells whose token a text is, in a time that says nothing of the tokens.
type Tokens interface {
	Name(text string) (name string, known bool)
}

// nameKey is where a request's context holds the name of its token.
type nameKey struct{}

// askedBy is the name of the token that a request came with; empty: nobody was asked.
func askedBy(ctx context.Context) string {
	name, _ := ctx.Value(nameKey{}).(string)
	return name
}

// guard lets nobody further who isn't meant to be. It stands before every route, River UI's too.
func (a *api) guard(c *gin.Context) {
	name, err := a.letIn(c)
	if err != nil {
		a.fail(c, err)
		c.Abort()
		return
	}
	if name != "" {
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), nameKey{}, name))
	}
	c.Next()
}

func (a *api) letIn(c *gin.Context) (name string, err error) {
	if err := a.Access.checkHost(c.Request.Host); err != nil {
		return "", err
	}
	if err := checkSite(c.Request); err != nil {
		return "", err
	}
	if route := c.FullPath(); a.Access.Tokens == nil || route == "/healthz" || route == "/readyz" {
		return "", nil
	}
	return a.authenticate(c)
}

// authenticate looks at the token first and at the count of wrong ones then: who has the right one is let in, however many
// wrong ones came from his address. The count is against noise; guessing is hopeless anyway (docs/adr/0014).
func (a *api) authenticate(c *gin.Context) (name string, err error) {
	token, given := presented(c.Request)
	if !given {
		return "", challenge(c, "This API asks for a token")
	}
	if name, known := a.Access.Tokens.Name(token); known {
		return name, nil
	}
	count, wait := a.wrong.note(c.Request.RemoteAddr, a.Now())
	if wait == 0 {
		return "", challenge(c, "This token is not known: it is mistyped, or was revoked")
	}
	if count == mostWrong+1 {
		a.Logger.Warn().Str("remote", host(c.Request.RemoteAddr)).Msg("many wrong tokens from this address; further ones are told in the debug log only")
	}
	c.Header("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	return "", failure.New(codeTooManyAttempts, "", fmt.Sprintf("There were %d wrong tokens from this address within a minute", mostWrong))
}

// challenge has a browser ask its user.
func challenge(c *gin.Context, sentence string) error {
	c.Writer.Header().Add("WWW-Authenticate", `Bearer realm="Ketter"`)
	c.Writer.Header().Add("WWW-Authenticate", `Basic realm="Ketter", charset="UTF-8"`)
	return failure.New(codeUnauthorized, "", sentence)
}

// presented is the token that a request bears: as such, or as the password of a sign-in with whatever user name.
func presented(r *http.Request) (token string, given bool) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		return strings.TrimSpace(rest), true
	case "basic":
		_, password, valid := r.BasicAuth()
		return password, valid
	}
	return "", false
}
