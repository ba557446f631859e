package httpapi_test

import (
	"net/http"
	"slices"
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
