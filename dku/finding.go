package dku

import "slices"

// Verdict is how something is.
type Verdict string

// The verdicts. What isn't known is a warning; the reason that it isn't known is a finding of its own.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
)

// Finding is what a check found. Its names in JSON are a contract: see report.schema.json.
type Finding struct {
	ID      string   `json:"id"` // of its check, as postgres.reachable
	Group   string   `json:"group"`
	Subject string   `json:"subject,omitempty"` // which of several: a root, a portal
	Verdict Verdict  `json:"verdict"`
	Figure  *float64 `json:"figure,omitempty"` // in Unit
	Unit    string   `json:"unit,omitempty"`
	Message string   `json:"message"`
	Advice  string   `json:"advice,omitempty"` // what to do; never empty unless it is ok
	// BlockedBy is the check that failed, for want of which this one was not run.
	BlockedBy string `json:"blocked_by,omitempty"`
}

func ok(message string) Finding { return Finding{Verdict: OK, Message: message} }
func warn(message, advice string) Finding {
	return Finding{Verdict: Warn, Message: message, Advice: advice}
}
func fail(message, advice string) Finding {
	return Finding{Verdict: Fail, Message: message, Advice: advice}
}

// with adds a figure.
func (f Finding) with(figure float64, unit string) Finding {
	f.Figure, f.Unit = &figure, unit
	return f
}

// of says which of several it is about.
func (f Finding) of(subject string) Finding {
	f.Subject = subject
	return f
}

// limits are where a figure becomes a warning and a failure.
type limits struct{ warn, fail float64 }

// above judges a figure that should be small; advice is for one that isn't.
func (l limits) above(figure float64, unit, message, advice string) Finding {
	return judged(figure > l.warn, figure > l.fail, message, advice).with(figure, unit)
}

// below judges a figure that should be large.
func (l limits) below(figure float64, unit, message, advice string) Finding {
	return judged(figure < l.warn, figure < l.fail, message, advice).with(figure, unit)
}

func judged(warned, failed bool, message, advice string) Finding {
	switch {
	case failed:
		return fail(message, advice)
	case warned:
		return warn(message, advice)
	default:
		return ok(message)
	}
}

// worst is the verdict on all of them together.
func worst(findings []Finding) Verdict {
	has := func(v Verdict) bool {
		return slices.ContainsFunc(findings, func(f Finding) bool { return f.Verdict == v })
	}
	switch {
	case has(Fail):
		return Fail
	case has(Warn):
		return Warn
	default:
		return OK
	}
}
