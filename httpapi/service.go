package httpapi

import (
	"bytes"
	"context"
	"net/http"

	"github.com/ketter/ketter/engine/failure"
)

// GetContract answers with the document itself.
func (a *api) GetContract(context.Context, GetContractRequestObject) (GetContractResponseObject, error) {
	return GetContract200ApplicationYamlResponse{Body: bytes.NewReader(Contract), ContentLength: int64(len(Contract))}, nil
}

// GetDocs answers with the document as a page, which may have its own style and nothing else.
func (a *api) GetDocs(ctx context.Context, _ GetDocsRequestObject) (GetDocsResponseObject, error) {
	page := docsPage()
	request(ctx).Header("Content-Security-Policy", page.policy)
	return GetDocs200TextHTMLResponse{Body: bytes.NewReader(page.html), ContentLength: int64(len(page.html))}, nil
}

// GetMetrics lets whoever keeps the figures answer.
func (a *api) GetMetrics(ctx context.Context, _ GetMetricsRequestObject) (GetMetricsResponseObject, error) {
	if a.Metrics == nil {
		return nil, failure.New(codeNotFound, "", "This Ketter keeps no figures.")
	}
	return metricsAnswer{a.Metrics, request(ctx).Request}, nil
}

type metricsAnswer struct {
	handler http.Handler
	request *http.Request
}

// VisitGetMetricsResponse implements GetMetricsResponseObject.
func (m metricsAnswer) VisitGetMetricsResponse(w http.ResponseWriter) error {
	m.handler.ServeHTTP(w, m.request)
	return nil
}
