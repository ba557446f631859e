package db_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/infra/testdb"
)

func asIs(p db.Portal) (db.Portal, error) { return p, nil }

func createPortal(t *testing.T, store *db.Store, name string) db.Portal {
	t.Helper()
	portal, err := store.CreatePortal(t.Context(), db.Portal{
		Name: name, Kind: transfer.LocalPortal, RootPath: "/data", MaxConnections: 8, CredentialKind: transfer.NoCredential,
	}, asIs)
	must(t, err)
	return portal
}

// createOf makes a pending job from a portal to another.
func createOf(ctx context.Context, q *db.Queries, source, destination *db.Portal) (int64, error) {
	params := db.CreateJobParams{
		Mode: transfer.Copy, SourcePath: "/a", DestinationPath: "/b", RequestedStrategy: transfer.Auto, Verify: transfer.Checksum,
		Queue: transfer.DefaultQueue, Priority: transfer.DefaultPriority,
	}
	if source != nil {
		params.SourcePortal, params.SourcePortalName = &source.ID, &source.Name
	}
	if destination != nil {
		params.DestinationPortal, params.DestinationPortalName = &destination.ID, &destination.Name
	}
	job, err := q.CreateJob(ctx, params)
	return job.ID, err
}

func TestAPortalInUseStaysAndItsJobsHistoryToo(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	from, to, other := createPortal(t, store, "from"), createPortal(t, store, "to"), createPortal(t, store, "other")
	id, err := createOf(t.Context(), db.New(store.Pool()), &from, &to)
	must(t, err)
	refused := func() {
		t.Helper()
		for _, portal := range []db.Portal{from, to} {
			var use *db.PortalInUse
			if err := store.DeletePortal(t.Context(), portal.ID); !errors.As(err, &use) || use.Jobs != 1 || !slices.Equal(use.FirstIDs, []int64{id}) {
				t.Errorf("%s: %v", portal.Name, err)
			}
		}
	}
	refused()
	must(t, store.DeletePortal(t.Context(), other.ID))
	exec(t, store, become, id, transfer.Running)
	refused()
	exec(t, store, become, id, transfer.Success)
	before := scan[string](t, store, "SELECT jobs::text FROM jobs")
	for _, portal := range []db.Portal{from, to} {
		must(t, store.DeletePortal(t.Context(), portal.ID))
		if err := store.DeletePortal(t.Context(), portal.ID); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		if _, err := store.Portal(t.Context(), portal.ID); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("a deleted portal: %v", err)
		}
	}
	if after := scan[string](t, store, "SELECT jobs::text FROM jobs"); after != before {
		t.Errorf("the history has changed from\n%s\nto\n%s", before, after)
	}
	if again := createPortal(t, store, "from"); again.ID <= other.ID {
		t.Errorf("a new portal has the id %d of an old one", again.ID)
	}
}

// Who deletes a portal waits for who is about to make a job for it, and then sees the job.
func TestADeleteSeesTheJobThatIsBeingMade(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	portal := createPortal(t, store, "p")
	deleted := make(chan error, 1)
	must(t, store.InTx(t.Context(), func(_ pgx.Tx, q *db.Queries) error {
		held, err := q.HoldPortals(t.Context(), &portal.ID, nil, &portal.ID)
		if err != nil || len(held) != 1 {
			t.Errorf("held %v, %v", held, err)
		}
		go func() { deleted <- store.DeletePortal(context.WithoutCancel(t.Context()), portal.ID) }()
		eventually(t, "the delete waits", func() bool {
			return scan[bool](t, store, `SELECT EXISTS (SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock')`)
		})
		_, err = createOf(t.Context(), q, nil, &portal)
		return err
	}))
	var use *db.PortalInUse
	if err := <-deleted; !errors.As(err, &use) {
		t.Errorf("the delete got %v", err)
	}
}

func TestTheNameOfAPortalIsItsOwn(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	createPortal(t, store, "a")
	b := createPortal(t, store, "b")
	b.Name = "a"
	if _, err := store.CreatePortal(t.Context(), b, asIs); !errors.Is(err, db.ErrPortalExists) {
		t.Errorf("created twice: %v", err)
	}
	rename := func(p db.Portal) (db.Portal, error) { p.Name = "a"; return p, nil }
	if _, err := store.ChangePortal(t.Context(), b.ID, rename); !errors.Is(err, db.ErrPortalExists) {
		t.Errorf("renamed to another's: %v", err)
	}
	if _, err := store.ChangePortal(t.Context(), 99, rename); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("changed none: %v", err)
	}
	portals, err := store.Portals(t.Context())
	if err != nil || len(portals) != 2 || portals[1].Name != "b" {
		t.Errorf("%v, %v", portals, err)
	}
	if named, err := store.PortalNamed(t.Context(), "b"); err != nil || named.ID != b.ID {
		t.Errorf("%v, %v", named, err)
	}
}

// What a run that resumes needs to find its staging stays while jobs use the portal.
func TestThePlaceOfAPortalInUseStays(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	host, user, key, port := "h", "u", "k", int32(22)
	portal, err := store.CreatePortal(t.Context(), db.Portal{Name: "p", Kind: transfer.SFTPPortal, RootPath: "/data", Host: &host,
		Port: &port, Username: &user, HostKey: &key, MaxConnections: 8, CredentialKind: transfer.NoCredential}, asIs)
	must(t, err)
	id, err := createOf(t.Context(), db.New(store.Pool()), &portal, nil)
	must(t, err)
	other, otherPort := "other", int32(23)
	for name, test := range map[string]struct {
		change func(*db.Portal)
		moves  bool
	}{
		"kind": {func(p *db.Portal) {
			p.Kind, p.Host, p.Port, p.Username, p.HostKey = transfer.LocalPortal, nil, nil, nil, nil
		}, true},
		"root_path":       {func(p *db.Portal) { p.RootPath = "/other" }, true},
		"host":            {func(p *db.Portal) { p.Host = &other }, true},
		"port":            {func(p *db.Portal) { p.Port = &otherPort }, true},
		"username":        {func(p *db.Portal) { p.Username = &other }, true},
		"worker_label":    {func(p *db.Portal) { p.WorkerLabel = &other }, true},
		"name":            {func(p *db.Portal) { p.Name = "q" }, false},
		"host_key":        {func(p *db.Portal) { p.HostKey = &other }, false},
		"credential":      {func(p *db.Portal) { p.CredentialKind = transfer.AgentCredential }, false},
		"max_connections": {func(p *db.Portal) { p.MaxConnections = 1 }, false},
		"agent_path":      {func(p *db.Portal) { path := "/k"; p.AgentPath = &path }, false},
		"thresholds":      {func(p *db.Portal) { n := int64(1); p.ZipThresholdFiles, p.ZipThresholdAvgSizeBytes = &n, &n }, false},
	} {
		_, err := store.ChangePortal(t.Context(), portal.ID, func(p db.Portal) (db.Portal, error) { test.change(&p); return p, nil })
		var use *db.PortalInUse
		if errors.As(err, &use) != test.moves || err != nil && !test.moves {
			t.Errorf("%s: %v", name, err)
		}
	}
	exec(t, store, become, id, transfer.Running)
	exec(t, store, become, id, transfer.Failed)
	_, err = store.ChangePortal(t.Context(), portal.ID, func(p db.Portal) (db.Portal, error) { p.RootPath = "/other"; return p, nil })
	must(t, err)
}

// Looking for the jobs of a portal reads those that have not ended, and no history.
func TestTheJobsOfAPortalAreFoundByTheirIndexes(t *testing.T) {
	t.Parallel()
	store, url := testdb.New(t)
	testdb.Fill(t, store, testdb.ScaleJobs(t))
	portal := createPortal(t, store, "p")
	_, err := createOf(t.Context(), db.New(store.Pool()), &portal, &portal)
	must(t, err)
	explainer := testdb.Explain(t, url, true)
	found, err := db.New(explainer).UnfinishedOfPortal(t.Context(), &portal.ID)
	must(t, err)
	if found.Jobs != 1 {
		t.Errorf("%+v", found)
	}
	for _, plan := range explainer.Plans {
		if plan.ReadsWhole("jobs") || plan.Read("jobs") > 10 {
			t.Errorf("%.0f rows of jobs are read: %s", plan.Read("jobs"), plan)
		}
	}
}

func TestResealingIsComparedAndSet(t *testing.T) {
	t.Parallel()
	store, _ := testdb.New(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		p := createPortal(t, store, name)
		exec(t, store, `UPDATE portals SET kind = 'sftp', host = 'h', port = 22, username = 'u', host_key = 'k', credential_kind = 'password',
			credential = $2 WHERE id = $1`, p.ID, []byte("old "+name))
	}
	createPortal(t, store, "e") // has none
	reseal := func(_ int64, sealed []byte) ([]byte, error) {
		switch string(sealed) {
		case "old a": // and somebody gives it another one meanwhile
			exec(t, store, "UPDATE portals SET credential = 'given' WHERE name = 'a'")
		case "old b":
			return nil, errors.New("no such key")
		case "old c":
			return nil, nil
		}
		return []byte("new"), nil
	}
	done, err := store.ResealCredentials(t.Context(), reseal)
	must(t, err)
	if done.Renewed != 1 || done.Current != 1 || !slices.Equal(done.Unreadable, []string{"b"}) || !slices.Equal(done.Changed, []string{"a"}) {
		t.Errorf("%+v", done)
	}
	if got := scan[string](t, store, "SELECT string_agg(convert_from(credential, 'UTF8'), ',' ORDER BY name) FROM portals"); got != "given,old b,old c,new" {
		t.Errorf("credentials %s", got)
	}
}
