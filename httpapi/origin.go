package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ketter/ketter/engine/failure"
)

// A web page that somebody has open can make his browser ask any server that the browser reaches, with whatever sign-in that
// remembers. Two rules keep such pages out: the name in Host is ours, so that none has led its own name here (DNS rebinding), and
// the page that asks is ours.

// OwnPagesOnly keeps pages of other sites from what is served on loopback and asks nobody who he is; hosts are names besides its own.
func OwnPagesOnly(next http.Handler, hosts []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := Access{Loopback: true, Hosts: hosts}.checkHost(r.Host)
		if err == nil {
			err = checkSite(r)
		}
		if err != nil {
			http.Error(w, failureOf(err).Message, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkHost lets loopback, and the names that were listed, pass; where others than this host can connect, any address too,
// which no page can make its own, and without a list any name: there it is the token that counts, and a browser keeps that to
// the name that it was given for. Who sends no name is no browser.
func (a Access) checkHost(sent string) error {
	name := strings.TrimSuffix(strings.ToLower(host(sent)), ".")
	address, err := netip.ParseAddr(name)
	isAddress := err == nil
	switch {
	case name == "", name == "localhost", slices.Contains(a.Hosts, name):
		return nil
	case isAddress && (address.Unmap().IsLoopback() || !a.Loopback):
		return nil
	case !a.Loopback && len(a.Hosts) == 0:
		return nil
	}
	return &failure.Error{
		Code: codeForbiddenOrigin, Message: fmt.Sprintf("%s is none of the names that this API answers to", short(name)),
		Hint: "Ask for it by its address, or as localhost; or list its name in KETTER_API_HOSTS, as behind a proxy that passes its own on.",
	}
}

// checkSite refuses what a page of another site asks for. Browsers tell (Sec-Fetch-Site, Origin), and no page can alter that;
// other programs say nothing, and pass. A link that a person follows passes too: the page that it is on doesn't see the answer.
func checkSite(r *http.Request) error {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case site == "same-origin", site == "none", isVisit(r):
		return nil
	case site == "" && (origin == "" || isOrigin(origin, r.Host)):
		return nil
	}
	if origin == "" {
		origin = "another site"
	} else {
		origin = short(origin)
	}
	return failure.New(codeForbiddenOrigin, "", fmt.Sprintf("A page of %s asks for this, and not one of this API's", origin))
}

// isVisit reports whether a person goes to a page: it is read, and shown as a whole.
func isVisit(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// isOrigin compares names and ports alone: behind a proxy that encrypts the server can't know the scheme.
func isOrigin(origin, own string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, own)
}

// host leaves the port out.
func host(address string) string {
	if name, _, err := net.SplitHostPort(address); err == nil {
		return name
	}
	return strings.Trim(address, "[]")
}
