package dku

import (
	"context"
	"time"
)

const (
	redisPing  = "redis.ping"
	startRedis = "Is Redis running, is its host up, does REDIS_URL name it? Jobs run without it; heartbeats and live events don't."
)

func (p *Probe) redisChecks() []Check {
	return []Check{
		{ID: redisPing, Deadline: quick, Run: one(p.redisPing)},
		{ID: "redis.roundtrip", Deadline: quick, Needs: []string{redisPing}, Run: one(p.redisRoundTrip)},
		{ID: "redis.pubsub", Deadline: quick, Needs: []string{redisPing}, Run: one(p.redisEcho)},
	}
}

func (p *Probe) redisPing(ctx context.Context) Finding {
	if p.redisErr != nil {
		return fail(sentence(p.redisErr), "Set REDIS_URL to that of `ketter serve` and `ketter worker`, or run the DKU in the folder of `ketter up`.")
	}
	return asked(ctx, p.redis.Ping, "Redis answers.", "Redis does not answer: ")
}

func (p *Probe) redisRoundTrip(ctx context.Context) Finding {
	return asked(ctx, p.redis.TryKey, "A key was written and read, and expired in time.", "A key was not written, read and expired as it should: ")
}

func (p *Probe) redisEcho(ctx context.Context) Finding {
	return asked(ctx, p.redis.TryEcho, "What was published was heard.", "What was published was not heard: ")
}

func asked(ctx context.Context, ask func(context.Context) error, well, badly string) Finding {
	began := time.Now()
	if err := ask(ctx); err != nil {
		return fail(badly+err.Error(), startRedis)
	}
	return ok(well).with(milliseconds(time.Since(began)), "ms")
}
