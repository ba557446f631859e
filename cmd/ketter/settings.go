package main

import (
	"fmt"
	"os"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/infra/config"
)

// loadConfig reads the environment.
func loadConfig() (config.Config, error) {
	c, _, err := config.Load(os.Environ())
	if err != nil {
		return c, &failure.Error{
			Code: failure.InvalidRequest, Message: err.Error(), Hint: "`ketter config` lists every variable and what it may be.",
		}
	}
	return c, nil
}

// loadService is loadConfig for a command that runs a service: with its logger, and with a warning of mistyped variables.
func loadService() (config.Config, zerolog.Logger, error) {
	c, err := loadConfig()
	if err != nil {
		return c, zerolog.Nop(), err
	}
	logger := newLogger(c)
	for _, name := range config.Unknown(os.Environ()) {
		logger.Warn().Str("variable", name).Msg("unknown variable in the environment; `ketter config` lists those there are")
	}
	return c, logger, nil
}

func newLogger(c config.Config) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel // config has checked the word
	}
	logger := zerolog.New(os.Stderr)
	if c.LogFormat == "pretty" || c.LogFormat == "auto" && term.IsTerminal(int(os.Stderr.Fd())) {
		logger = zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: "15:04:05"})
	}
	return logger.Level(level).With().Timestamp().Logger()
}

func newEngine(c config.Config, portals engine.Portals) (*engine.Engine, error) {
	return engine.New(engine.Options{
		Portals:      portals,
		AllowedRoots: c.AllowedRoots,
		TmpDir:       c.TmpDir,
		Parallel:     c.Parallel,
		Policy: planner.Policy{
			ZipThresholdFiles: c.ZipThresholdFiles, ZipThresholdAvgSize: c.ZipThresholdAvgSize,
		},
	})
}

// requireRoots refuses to serve or work without allowed roots: nothing is allowed by default.
func requireRoots(c config.Config) error {
	if len(c.AllowedRoots) > 0 {
		return nil
	}
	return &failure.Error{
		Code:    failure.InvalidRequest,
		Message: "KETTER_ALLOWED_ROOTS is not set: there is no folder that jobs may read or write",
		Hint:    "Set it to the folders of your storages, as KETTER_ALLOWED_ROOTS=/mnt/nexis:/mnt/quantum",
	}
}

func requireDatabase(c config.Config) error {
	if c.DBURL != "" {
		return nil
	}
	return &failure.Error{
		Code:    failure.InvalidRequest,
		Message: "DB_URL is not set: there is no database to work with",
		Hint:    fmt.Sprintf("Set DB_URL=%s, or run `ketter up`, which starts a private one.", "postgres://user:password@host:5432/database"),
	}
}
