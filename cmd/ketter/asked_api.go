package main

import (
	"crypto/tls"
	"net/url"
	"strings"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/httpapi/client"
	"github.com/ketter/ketter/infra/certificate"
	"github.com/ketter/ketter/infra/config"
	"github.com/ketter/ketter/infra/private"
)

// maxToken is far more than a token has.
const maxToken = 4 << 10

// ownAPI is where the API that listens at an address can be asked on this host.
func ownAPI(c config.Config, address string) string {
	base := client.Base(address)
	if c.TLSCert != "" {
		base = "https" + strings.TrimPrefix(base, "http")
	}
	return base
}

// askingOptions are how the environment says to ask the API at base.
func askingOptions(c config.Config, base string) (options []client.Option, err error) {
	trust, err := trusting(c, base)
	if err != nil {
		return nil, err
	}
	token, err := ownToken(c)
	if err != nil {
		return nil, err
	}
	options = append(trust, client.WithToken(token))
	if c.APIInsecure {
		options = append(options, client.Insecurely())
	}
	return options, nil
}

// trusting are whose certificates are believed: the system's, KETTER_API_CA's, and of the API on this host its own, which is
// rarely for the name localhost.
func trusting(c config.Config, base string) ([]client.Option, error) {
	var believed []string
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.APICA != "" {
		believed = append(believed, c.APICA)
	}
	if isOwn(c, base) {
		name, err := certificate.Name(c.TLSCert)
		if err != nil {
			return nil, invalidFile("KETTER_TLS_CERT", c.TLSCert, err)
		}
		settings.ServerName, believed = name, append(believed, c.TLSCert)
	}
	if believed == nil {
		return nil, nil
	}
	roots, err := certificate.Roots(believed...)
	if err != nil {
		return nil, invalidFile("KETTER_API_CA", c.APICA, err)
	}
	settings.RootCAs = roots
	return []client.Option{client.WithTLS(settings)}, nil
}

// isOwn reports whether base is the API of this host that shows the certificate of the environment.
func isOwn(c config.Config, base string) bool {
	u, err := url.Parse(base)
	return err == nil && c.TLSCert != "" && u.Scheme == "https" && (client.IsLoopback(u.Hostname()) || base == ownAPI(c, c.Listen))
}

// ownToken is the token that the environment brings; empty: none.
func ownToken(c config.Config) (string, error) {
	token := string(c.APIToken)
	if c.APITokenFile != "" {
		text, err := private.Read(c.APITokenFile, maxToken)
		if err != nil {
			return "", invalidFile("KETTER_API_TOKEN_FILE", c.APITokenFile, err)
		}
		if token = strings.TrimSpace(text); token == "" {
			return "", failure.New(failure.InvalidRequest, "", "KETTER_API_TOKEN_FILE="+c.APITokenFile+": it is empty")
		}
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", failure.New(failure.InvalidRequest, "", "The API's token has characters that no token has: it is one word, as `ketter tokens create` printed it")
	}
	return token, nil
}

func invalidFile(variable, path string, err error) error {
	return &failure.Error{
		Code: failure.InvalidRequest, Message: variable + "=" + path + ": " + err.Error(), Err: err,
		Hint: "`ketter config` shows what is set.",
	}
}
