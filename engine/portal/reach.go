package portal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ketter/ketter/engine"
	"github.com/ketter/ketter/engine/endpoint/agent"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/engine/endpoint/shelltools"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
)

// reach gets to a portal on another host: by ketter there, else by what else may be started there, else by SFTP alone.
func (p *Portals) reach(ctx context.Context, portal Portal) (storage, engine.Reach, error) {
	host := p.hosts.Host(portal.Target)
	s, reach, err := p.byAgent(ctx, host, portal, portal.AgentPath)
	if !unlike(err) {
		return s, reach, err
	}
	none := err
	sent := ""
	if portal.SendAgent {
		if sent, err = p.send(ctx, host, none); err == nil {
			if s, reach, err = p.byAgent(ctx, host, portal, sent); err == nil {
				reach.By += " It was sent there: " + sent + "."
				return s, reach, nil
			}
		}
		none = errors.Join(none, err)
	}
	return p.bySFTP(ctx, host, portal, none)
}

// unlike reports whether err only says that no agent of ours may be started there.
func unlike(err error) bool {
	return errors.Is(err, agent.ErrNoAgent) || errors.Is(err, agent.ErrVersion) || errors.Is(err, remote.ErrRefused)
}

// agents is a Storage with the processes that are its own.
type agents struct {
	*agent.Storage
	pool *agent.Pool
}

func (a agents) Close() error { return errors.Join(a.Storage.Close(), a.pool.Close()) }

func (p *Portals) byAgent(ctx context.Context, host *remote.Host, portal Portal, path string) (storage, engine.Reach, error) {
	options := p.options.Agent
	options.AgentPath, options.Connections = path, portal.Target.Connections
	pool := agent.NewPool(host, options)
	s, err := pool.Open(ctx, portal.Root)
	if err != nil {
		return nil, engine.Reach{}, errors.Join(err, pool.Close())
	}
	return agents{s, pool}, engine.Reach{Portal: portal.Name,
		By:    fmt.Sprintf("Reached portal %s at %s by ketter's agent there (%s).", portal.Name, portal.address(), s.Version()),
		Facts: transfer.Figures{"via": "agent", "version": s.Version(), "connections": portal.Target.Connections}}, nil
}

// bySFTP is for a host without an agent, for the reason that none gives.
func (p *Portals) bySFTP(ctx context.Context, host *remote.Host, portal Portal, none error) (storage, engine.Reach, error) {
	options := p.options.SFTP
	options.Connections = max(1, portal.Target.Connections-1) // one is left for the tools, where a connection carries one program
	s, err := sftp.Open(ctx, host, portal.Root, options)
	if err != nil {
		return nil, engine.Reach{}, portal.inTheWay(portal.rootMissing(err), none)
	}
	tools, err := shelltools.Probe(ctx, host)
	if failure.CodeOf(err) == failure.PortalUnreachable {
		return nil, engine.Reach{}, errors.Join(err, s.Close())
	}
	names, missing := tools.Names(), s.Describe().Missing()
	by := fmt.Sprintf("Reached portal %s at %s by SFTP", portal.Name, portal.address())
	if len(names) > 0 {
		by += " and " + strings.Join(names, ", ")
	}
	by += "; " + why(none) + ". It lacks " + strings.Join(missing, ", ") + "."
	return tooled{s, host, tools}, engine.Reach{Portal: portal.Name, By: by, Facts: transfer.Figures{"via": "sftp",
		"tools": names, "missing": missing, "no_agent": why(none), "connections": portal.Target.Connections}}, nil
}

// inTheWay is for a host that lets its user in, and answers like neither an agent nor an SFTP server: what it starts instead is
// a forced command, which no search for a lost connection would find. Whether it is mended nobody tells us, so it is tried again.
func (p Portal) inTheWay(err, none error) error {
	var said *agent.NoneError
	if failure.CodeOf(err) != failure.PortalUnreachable || errors.Is(none, remote.ErrRefused) || errors.As(none, &said) {
		return err
	}
	return &failure.Error{Code: failure.PortalUnreachable, Op: "ssh", Err: err,
		Message: fmt.Sprintf("Portal %s lets %s in, but %s, and no SFTP answers either", p.Name, p.address(), why(none)),
		Hint: "Is the host still up? Then look at the forced command in the account's authorized_keys, or at sshd_config: it must start " +
			"the `ketter agent` of this ketter's version and print nothing before it, or internal-sftp."}
}

// why says in words why there is no agent.
func why(none error) string {
	var said *agent.NoneError
	switch {
	case errors.As(none, &said):
		return said.Error()
	case errors.Is(none, agent.ErrVersion):
		return "the ketter there is of another version"
	case errors.Is(none, remote.ErrRefused):
		return "its user may start no program there"
	default:
		return "no ketter answers there"
	}
}
