package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
)

// What the contract refuses is refused by every route, in words, and leaves nothing behind.
func TestWhatTheContractDoesNotKnowIsRefusedEverywhere(t *testing.T) {
	f := setup(t)
	handler := httpapi.New(f.options)
	requests := httpapi.BadRequests()
	if len(requests) < 150 {
		t.Fatalf("only %d requests were made of the contract", len(requests))
	}
	for _, r := range requests {
		a := send(handler, r.Method, r.Target, r.Body, r.Header...)
		if a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", r.Name, a.StatusCode, a.body)
			continue
		}
		if p := a.isProblem(t, http.StatusBadRequest, "invalid_request"); len(p.Detail) > 1000 {
			t.Errorf("%s: %s", r.Name, p.Detail)
		}
		if err := httpapi.CheckAnswer(r.Method, r.Target, a.Response, a.body); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
	for _, table := range []string{"jobs", "job_events", "river_job", "portals", "idempotency_keys"} {
		if n := f.count(table); n != 0 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
}

// Every code that an answer or a job may have stands in the contract, and no other.
func TestTheContractKnowsEveryCodeAndStatus(t *testing.T) {
	t.Parallel()
	for at, known := range map[string][]string{
		"/components/schemas/FailureCode":  texts(failure.Codes()),
		"/components/schemas/Code/anyOf/1": texts(httpapi.OwnCodes()),
		"/components/schemas/Status":       texts(transfer.Statuses()),
	} {
		if listed := httpapi.Enum(at); !slices.Equal(slices.Sorted(slices.Values(listed)), slices.Sorted(slices.Values(known))) {
			t.Errorf("%s lists %v, and there are %v", at, listed, known)
		}
	}
}

func texts[T ~string](all []T) (out []string) {
	for _, one := range all {
		out = append(out, string(one))
	}
	return out
}

// Without a token that is known, no route says more than that one is needed, whatever it is asked.
func TestEveryRouteAsksForATokenBeforeItLooksAtTheRequest(t *testing.T) {
	f := guarded(t)
	for _, header := range [][]string{nil, bearer("ketter_wrong"), basic("ana", "ketter_wrong")} {
		for _, r := range slices.Concat(httpapi.GoodRequests(), httpapi.BadRequests()) {
			if r.Open {
				continue
			}
			a := f.send(r.Method, r.Target, r.Body, slices.Concat(r.Header, header)...)
			if p := a.isProblem(t, http.StatusUnauthorized, "unauthorized"); strings.Contains(p.Detail+p.Hint, "wrong") {
				t.Errorf("%s: the token is quoted: %s", r.Name, a.body)
			}
		}
	}
	f.nothingInserted()
}

func TestWithATokenEveryRouteAnswersAsTheContractSays(t *testing.T) {
	f := guarded(t)
	for _, r := range httpapi.GoodRequests() {
		a := f.send(r.Method, r.Target, r.Body, slices.Concat(r.Header, bearer(anas))...)
		if a.StatusCode != http.StatusNotFound && a.StatusCode >= http.StatusBadRequest {
			t.Errorf("%s: %d %s", r.Name, a.StatusCode, a.body)
		}
	}
	for _, r := range httpapi.BadRequests() {
		f.send(r.Method, r.Target, r.Body, slices.Concat(r.Header, bearer(anas))...).isProblem(t, http.StatusBadRequest, "invalid_request")
	}
	if jobs, portals := f.count("jobs"), f.count("portals"); jobs != 1 || portals != 1 {
		t.Errorf("%d jobs and %d portals; the good requests make one of each, and the bad ones none", jobs, portals)
	}
}
