package main

import (
	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/embedded"
)

// findServices puts what the `ketter up` on the state directory has left word of in the place of what the environment
// doesn't say, when that names no database. api is empty where none runs.
func findServices(c *config.Config) (api string, err error) {
	if c.DBURL != "" {
		return "", nil
	}
	running, found, err := embedded.ReadServices(c.StateDir)
	if err != nil || !found {
		return "", err
	}
	c.DBURL = running.DBURL
	if c.RedisURL == "" {
		c.RedisURL = running.RedisURL
	}
	if len(c.AllowedRoots) == 0 {
		c.AllowedRoots = running.AllowedRoots
	}
	return running.API, nil
}
