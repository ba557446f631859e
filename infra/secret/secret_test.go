package secret

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ring(t *testing.T, keys ...string) Keyring {
	t.Helper()
	ring, err := Parse(strings.Join(keys, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func seal(t *testing.T, k Keyring, plain, purpose string) []byte {
	t.Helper()
	sealed, err := k.Seal([]byte(plain), purpose)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestWhatIsSealedOpensForItsPurposeOnly(t *testing.T) {
	t.Parallel()
	k := ring(t, NewKey())
	sealed := seal(t, k, "hunter2", "portal 1")
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Error("it is in clear")
	}
	if plain, err := k.Open(sealed, "portal 1"); err != nil || string(plain) != "hunter2" {
		t.Errorf("%q, %v", plain, err)
	}
	if plain, err := k.Open(sealed, "portal 2"); !errors.Is(err, ErrDamaged) || plain != nil {
		t.Errorf("for another purpose: %q, %v", plain, err)
	}
	if bytes.Equal(sealed, seal(t, k, "hunter2", "portal 1")) {
		t.Error("the same is sealed in the same way twice")
	}
}

func TestNoByteOfWhatIsSealedMayChange(t *testing.T) {
	t.Parallel()
	k := ring(t, NewKey())
	sealed := seal(t, k, "hunter2", "portal 1")
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if plain, err := k.Open(changed, "portal 1"); err == nil || plain != nil {
			t.Errorf("byte %d: %q, %v", i, plain, err)
		}
		if plain, err := k.Open(sealed[:i], "portal 1"); err == nil || plain != nil {
			t.Errorf("cut at %d: %q, %v", i, plain, err)
		}
	}
}

func TestOldKeysOpenAndTheFirstSeals(t *testing.T) {
	t.Parallel()
	older, newer := NewKey(), NewKey()
	sealed := seal(t, ring(t, older), "hunter2", "p")
	both := ring(t, newer, older)
	if plain, err := both.Open(sealed, "p"); err != nil || string(plain) != "hunter2" {
		t.Errorf("%q, %v", plain, err)
	}
	if both.Current(sealed) || !both.Knows(sealed) || !both.Current(seal(t, both, "x", "p")) {
		t.Error("which key is the first isn't known")
	}
	if _, err := ring(t, newer).Open(sealed, "p"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without its key: %v", err)
	}
	if _, err := (Keyring{}).Seal(nil, "p"); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
}

func TestKeysAreReadInEveryUsualForm(t *testing.T) {
	t.Parallel()
	raw := bytes.Repeat([]byte{0xfb, 0xef}, 16) // + and / in base64
	std := "++/77/vv++/77/vv++/77/vv++/77/vv++/77/vv++8="
	for _, text := range []string{
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), std, strings.TrimRight(std, "="),
		strings.NewReplacer("+", "-", "/", "_").Replace(std), "  " + std + "\r\n", "# the key of 2026\n" + std + "\n",
	} {
		k := ring(t, text)
		if len(k.keys) != 1 || !k.Knows(seal(t, ring(t, hex.EncodeToString(raw)), "", "")) {
			t.Errorf("%q: another key", text)
		}
	}
	if k := ring(t, NewKey()+","+NewKey()+"\n"+NewKey()); len(k.keys) != 3 {
		t.Errorf("%d keys", len(k.keys))
	}
}

func TestNoErrorOrFormatShowsAKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"hunter2", NewKey() + "hunter2", NewKey() + ",hunter2"} {
		if _, err := Parse(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
	text := NewKey()
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if got := fmt.Sprintf(verb, ring(t, text)); got != "(1 keys)" {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

func TestAFileThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("# ours\n"+NewKey()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, allowed := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o644: false, 0o604: false, 0o660: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if k, err := ReadFile(path); (err == nil) != allowed || allowed && len(k.keys) != 1 {
			t.Errorf("%o: %v", mode, err)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, t.TempDir(), empty + "gone"} {
		if _, err := ReadFile(path); err == nil {
			t.Errorf("%s was read", path)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k, err := Parse(NewKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{version, 0, 0})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if plain, err := k.Open(sealed, "p"); err == nil {
			t.Errorf("%x opens as %x", sealed, plain)
		}
	})
}
