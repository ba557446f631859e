package portal

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

func TestWhatIsForeseenOverSSHComesTrue(t *testing.T) {
	t.Parallel()
	for name, w := range ways {
		for _, upload := range []bool{true, false} {
			if upload != (name != "sftp only") && name != "agent" {
				continue // one direction is enough where nobody over there is asked
			}
			t.Run(fmt.Sprint(name, " upload ", upload), func(t *testing.T) {
				t.Parallel()
				few := int64(10) // the portal's own threshold
				b := setup(t, w, func(p *Portal) { p.ZipThresholdFiles = &few })
				spec := b.spec(transfer.Move, transfer.Auto, upload)
				source, destination := b.folders(spec)
				b.sample(source, 20)
				lab, srv := b.snapshot(b.lab), b.snapshot(b.srv)
				o, err := b.engine.Outlook(t.Context(), spec)
				b.must(err)
				if b.snapshot(b.lab) != lab || b.snapshot(b.srv) != srv {
					t.Error("looking has changed something")
				}
				result, err := b.run(t.Context(), spec)
				b.must(err)
				if len(o.Problems) > 0 || o.Plan.Strategy != transfer.ZipFirst || o.Method != result.Method || o.Plan.Files != result.Files || o.Plan.Bytes != result.Bytes {
					t.Errorf("foreseen %+v, and it was %+v", o, result)
				}
				b.must(b.engine.CleanUp(t.Context(), spec))
				again := b.spec(transfer.Move, transfer.Auto, upload)
				b.write(filepath.Join(source, "file"), "x")
				o, err = b.engine.Outlook(t.Context(), again)
				b.must(err)
				if len(o.Problems) != 1 || o.Problems[0].Code != failure.DestinationExists {
					t.Errorf("foreseen %v, and %s is there", o.Problems, destination)
				}
				_, err = b.run(t.Context(), again)
				if f := failure.From(err); err == nil || f.Sentence() != o.Problems[0].Sentence() {
					t.Errorf("foreseen %v, failed with %v", o.Problems, err)
				}
			})
		}
	}
}

// foreseen makes sure that what a run fails with was told before.
func (b *bench) foreseen(spec transfer.Spec, code failure.Code) {
	b.Helper()
	o, err := b.engine.Outlook(b.Context(), spec)
	b.must(err)
	if len(o.Problems) == 0 || o.Problems[0].Code != code {
		b.Errorf("foreseen %v, want %s", o.Problems, code)
	}
}

// TestAFileThatTheAgentMayNotReadIsForeseen is about an ordinary user over there.
func TestAFileThatTheAgentMayNotReadIsForeseen(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	w := ways["agent"]
	w.sshd.Environment = []string{"KETTER_TEST_USER=65534"}
	b := setup(t, w)
	b.open(filepath.Join(filepath.Dir(b.sshd.Home), "authorized_keys"))
	spec := b.spec(transfer.Copy, transfer.Auto, false)
	source, _ := b.folders(spec)
	b.sample(source, 5)
	b.open(b.srv)
	shut := filepath.Join(source, "audio 0/take;0.wav")
	b.must(os.Chmod(shut, 0))
	b.foreseen(spec, failure.SourcePermissionDenied)
	_, err := b.run(t.Context(), spec)
	if f := failure.From(err); f == nil || f.Code != failure.SourcePermissionDenied || f.Path != shut {
		t.Errorf("it failed with %v", err)
	}
}
