package client

import (
	"errors"
	"net/http"

	"github.com/ketter/ketter/engine/failure"
)

// Refused tells the answer that nothing was done from one that doesn't tell, and from none.
func Refused(err error) bool {
	var answer *failure.Error
	return errors.As(err, &answer) && answer.Code.HTTPStatus() < http.StatusInternalServerError
}
