package dku

import "golang.org/x/sys/unix"

func operatingSystem() string {
	version, err := unix.Sysctl("kern.osproductversion")
	if err != nil {
		return "macOS"
	}
	return "macOS " + version
}

// memory is in bytes. Free is what programs can still get: macOS keeps few pages free, and gives up those that files back.
func memory() (total, free float64, err error) {
	bytes, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0, 0, err
	}
	page, err := unix.SysctlUint32("hw.pagesize")
	if err != nil {
		return 0, 0, err
	}
	pages, err := unix.SysctlUint32("vm.page_free_count")
	speculative, _ := unix.SysctlUint32("vm.page_speculative_count") // 0 where it isn't told, as of those below
	cached, _ := unix.SysctlUint32("vm.page_pageable_external_count")
	purgeable, _ := unix.SysctlUint32("vm.page_purgeable_count")
	// Speculative pages are among those that files back.
	return float64(bytes), (float64(pages) + float64(max(speculative, cached)) + float64(purgeable)) * float64(page), err
}

func volumeOf(path string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return volume{}, err
	}
	return volume{kind: unix.ByteSliceToString(st.Fstypename[:]), bytes: float64(st.Blocks) * float64(st.Bsize), inodes: float64(st.Files)}, nil
}
