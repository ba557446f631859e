package local

import (
	"testing"

	"golang.org/x/sys/unix"
)

// giveDefaultACL gives a folder a default access control list, and reports false where there are none.
func giveDefaultACL(t *testing.T, path string) bool {
	t.Helper()
	err := unix.Setxattr(path, "system.posix_acl_default", acl, 0)
	if err == unix.ENOTSUP {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}
