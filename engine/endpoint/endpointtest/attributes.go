package endpointtest

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
)

// attributed is what attributes are set on and read from.
type attributed struct {
	what string
	set  func([]endpoint.Xattr) error
	get  func() ([]endpoint.Xattr, error)
}

func fileAndFolder(t *testing.T, dir endpoint.Dir) []attributed {
	t.Helper()
	w := create(t, dir, "file")
	folder := sub(t, dir, "folder")
	return []attributed{{"file", w.SetXattrs, open(t, dir, "file").Xattrs},
		{"folder", folder.SetXattrs, folder.Xattrs}}
}

func attributesComeBack(t *testing.T, dir endpoint.Dir) {
	for _, on := range fileAndFolder(t, dir) {
		if all, err := on.get(); err != nil || len(all) > 0 {
			t.Errorf("a new %s has %q, %v", on.what, all, err)
		}
		if !dir.Capabilities().Xattrs {
			continue
		}
		want := map[string]string{"user.empty": "", "user.text": "take 3, é", "user.binary": "\x00\xff\n\x00",
			"user.long": pattern(1500), "user." + strings.Repeat("n", 250): "long name", "user.\xff \xfe": "not utf-8",
			"user.two": "replaced"}
		ok(t, on.set([]endpoint.Xattr{{Name: "user.two", Value: []byte("at first, and longer")}}))
		ok(t, on.set(attributes(want)))
		same(t, on, want)
		ok(t, on.set(nil))
		same(t, on, want)
		if on.set([]endpoint.Xattr{{Name: "nonsense", Value: []byte("x")}}) == nil {
			t.Errorf("%s: an attribute of no kind was set", on.what)
		}
	}
}

// manyAttributesComeBack sets as many as the storage takes, on ext4 some 4 KiB of them.
func manyAttributesComeBack(t *testing.T, dir endpoint.Dir) {
	if !dir.Capabilities().Xattrs {
		return
	}
	for _, on := range fileAndFolder(t, dir) {
		want := map[string]string{}
		for i := range 200 {
			name := fmt.Sprintf("user.%03d%s", i, strings.Repeat("n", 60))
			err := on.set([]endpoint.Xattr{{Name: name, Value: []byte{byte(i)}}})
			if errors.Is(err, syscall.ENOSPC) {
				break
			}
			ok(t, err)
			want[name] = string([]byte{byte(i)})
		}
		if len(want) < 20 {
			t.Errorf("%s: only %d were taken", on.what, len(want))
		}
		same(t, on, want)
	}
}

func attributes(all map[string]string) []endpoint.Xattr {
	var list []endpoint.Xattr
	for name, value := range all {
		list = append(list, endpoint.Xattr{Name: name, Value: []byte(value)})
	}
	return list
}

func same(t *testing.T, on attributed, want map[string]string) {
	t.Helper()
	all, err := on.get()
	ok(t, err)
	got := map[string]string{}
	for _, a := range all {
		got[a.Name] = string(a.Value)
	}
	if len(all) != len(want) || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%s has %q, want %q", on.what, got, want)
	}
}
