package main

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/rs/zerolog"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/certificate"
	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/tokens"
)

// listen listens where the environment says, by TLS if it names a certificate. Without tokens that is loopback or nowhere.
func listen(c config.Config, logger zerolog.Logger) (net.Listener, error) {
	address, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil {
		return nil, listenError(c.Listen, err)
	}
	if c.APITokensFile == "" && !address.IP.IsLoopback() {
		return nil, &failure.Error{
			Code:    failure.InvalidRequest,
			Message: fmt.Sprintf("Others could reach the API at %s, and nobody would ask them who they are: without tokens it listens on loopback only", c.Listen),
			Hint: "Make a token with `ketter tokens create NAME --file FILE` and set KETTER_API_TOKENS_FILE=FILE; " +
				"or listen on 127.0.0.1, as behind a proxy that asks who is there.",
		}
	}
	wrapped, err := encrypt(c, logger)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		return nil, listenError(c.Listen, err)
	}
	return wrapped(listener), nil
}

// encrypt returns what makes a listener one of TLS, where a certificate is set.
func encrypt(c config.Config, logger zerolog.Logger) (func(net.Listener) net.Listener, error) {
	if c.TLSCert == "" {
		return func(l net.Listener) net.Listener { return l }, nil
	}
	settings, err := certificate.Server(c.TLSCert, c.TLSKey, telling(logger, c.TLSCert))
	if err != nil {
		return nil, &failure.Error{
			Code: failure.InvalidRequest, Message: "KETTER_TLS_CERT, KETTER_TLS_KEY: " + err.Error(), Err: err,
			Hint: "They are PEM files: the certificate with those in between after it, and its key, which others can't read.",
		}
	}
	return func(l net.Listener) net.Listener { return tls.NewListener(l, settings) }, nil
}

// newAccess says whom the API answers.
func (s services) newAccess() (access httpapi.Access, err error) {
	access.Hosts = s.config.APIHosts
	if address, known := s.listener.Addr().(*net.TCPAddr); known {
		access.Loopback = address.IP.IsLoopback()
	}
	if s.config.APITokensFile == "" {
		return access, nil
	}
	verifier, err := tokens.NewVerifier(s.config.APITokensFile, telling(s.logger, s.config.APITokensFile))
	if err != nil {
		return access, tokensError(s.config.APITokensFile, err)
	}
	if verifier.Count() == 0 {
		s.logger.Warn().Str("file", s.config.APITokensFile).Msg("there is no token, so nobody can use the API; `ketter tokens create NAME` makes one")
	}
	access.Tokens = verifier
	return access, nil
}

// telling logs what becomes of a file that is read again when it changes.
func telling(logger zerolog.Logger, file string) func(error) {
	return func(err error) {
		if err != nil {
			logger.Error().Err(err).Str("file", file).Msg("a changed file can't be used; what it held before stays in force")
			return
		}
		logger.Info().Str("file", file).Msg("a changed file was read again")
	}
}

func listenError(address string, err error) error {
	return fmt.Errorf("can't listen on %s: %w\n  hint: is another ketter running? Choose another address with --listen or KETTER_LISTEN", address, err)
}
