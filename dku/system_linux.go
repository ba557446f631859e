package dku

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// operatingSystem is the distribution's name, from os-release(5).
func operatingSystem() string {
	content, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "Linux"
	}
	for line := range strings.SplitSeq(string(content), "\n") {
		if name, found := strings.CutPrefix(line, "PRETTY_NAME="); found {
			return strings.Trim(name, `"'`)
		}
	}
	return "Linux"
}

// memory is from proc_meminfo(5), in bytes. Free is what programs can still get, caches among it.
func memory() (total, free float64, err error) {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	values := map[string]float64{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		var kib float64
		if _, err := fmt.Sscan(rest, &kib); err == nil {
			values[name] = kib * 1024
		}
	}
	if values["MemTotal"] == 0 {
		return 0, 0, errors.New("/proc/meminfo holds no MemTotal")
	}
	return values["MemTotal"], values["MemAvailable"], lines.Err()
}

// fileSystems are names for the numbers of statfs(2).
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs",
	unix.NFS_SUPER_MAGIC: "nfs", unix.SMB_SUPER_MAGIC: "smb", unix.SMB2_SUPER_MAGIC: "smb", unix.CIFS_SUPER_MAGIC: "smb",
	unix.FUSE_SUPER_MAGIC: "fuse", unix.EXFAT_SUPER_MAGIC: "exfat", unix.MSDOS_SUPER_MAGIC: "fat", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	0x2fc12fc1: "zfs",
}

func volumeOf(path string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return volume{}, err
	}
	kind, known := fileSystems[int64(st.Type)&0xffffffff]
	if !known {
		kind = fmt.Sprintf("0x%x", st.Type)
	}
	unit := float64(st.Frsize)
	if unit == 0 { // some FUSE file systems leave it out
		unit = float64(st.Bsize)
	}
	return volume{kind: kind, bytes: float64(st.Blocks) * unit, inodes: float64(st.Files)}, nil
}
