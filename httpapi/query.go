package httpapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

const maxLimit = 500

// parseQuery returns a request's query. A parameter that isn't known, or is given twice, is refused: a filter that is
// silently not applied looks like an answer.
func parseQuery(c *gin.Context, known ...string) (map[string]string, error) {
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, invalid("The query can't be read: %v.", err)
	}
	values := make(map[string]string, len(query))
	for name, given := range query {
		switch {
		case len(known) == 0:
			return nil, invalid("There is no parameter %s; this route has none.", short(name))
		case !slices.Contains(known, name):
			return nil, invalid("There is no parameter %s; this route has %s.", short(name), strings.Join(known, ", "))
		case len(given) > 1:
			return nil, invalid("The parameter %s is given twice.", name)
		}
		values[name] = given[0]
	}
	return values, nil
}

// parseFilter makes a list's filter of a query. The strategy is the one decided, so AUTO is none.
func parseFilter(query map[string]string, standardLimit int32) (db.JobFilter, error) {
	filter := db.JobFilter{Limit: standardLimit}
	var err error
	if filter.Status, err = chosen(query, "status", transfer.Statuses()); err != nil {
		return filter, err
	}
	if filter.Mode, err = chosen(query, "mode", []transfer.Mode{transfer.Copy, transfer.Move}); err != nil {
		return filter, err
	}
	if filter.Strategy, err = chosen(query, "strategy", []transfer.Strategy{transfer.Direct, transfer.ZipFirst}); err != nil {
		return filter, err
	}
	if value, given := query["limit"]; given {
		limit, err := strconv.ParseUint(value, 10, 32)
		if err != nil || limit < 1 || limit > maxLimit {
			return filter, invalid("limit is %s; it must be a number from 1 to %d.", short(value), maxLimit)
		}
		filter.Limit = int32(limit)
	}
	if value, given := query["before"]; given {
		before, err := parseID("before", value)
		if err != nil {
			return filter, err
		}
		filter.Before = &before
	}
	return filter, nil
}

// chosen is choose for a parameter that may be left out.
func chosen[T ~string](query map[string]string, name string, choices []T) (*T, error) {
	if _, given := query[name]; !given {
		return nil, nil
	}
	choice, err := choose(query, name, "", choices...)
	return &choice, err
}

func parseID(name, sent string) (int64, error) {
	id, err := strconv.ParseUint(sent, 10, 63)
	if err != nil || id == 0 {
		return 0, invalid("%s is %s; it must be a job's id, a whole number from 1.", name, short(sent))
	}
	return int64(id), nil
}
