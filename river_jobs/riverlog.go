package riverjobs

import (
	"context"
	"log/slog"
)

// riverLog calls River's ids by their name: to an operator a job_id is one of ours.
type riverLog struct{ slog.Handler }

func (l riverLog) Handle(ctx context.Context, record slog.Record) error {
	renamed := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	record.Attrs(func(attr slog.Attr) bool {
		renamed.AddAttrs(ours(attr))
		return true
	})
	return l.Handler.Handle(ctx, renamed)
}

func (l riverLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	renamed := make([]slog.Attr, len(attrs))
	for i, attr := range attrs {
		renamed[i] = ours(attr)
	}
	return riverLog{l.Handler.WithAttrs(renamed)}
}

func (l riverLog) WithGroup(name string) slog.Handler { return riverLog{l.Handler.WithGroup(name)} }

func ours(attr slog.Attr) slog.Attr {
	switch attr.Key {
	case "job_id":
		attr.Key = "river_job_id"
	case "err":
		attr.Key = "error"
	}
	return attr
}
