package endpoint

// Storage is what paths are looked up in: the folders below which they may lie, on one host.
type Storage interface {
	// Locate resolves path, absolute and clean, symbolic links included, and opens the deepest folder of it that exists.
	// Links are judged by where they lead: the real path must lie below a root's, else it is path_not_allowed. A root that
	// doesn't exist is an error of fs.ErrNotExist and never one of the Missing: it may be a volume that isn't mounted.
	Locate(path string) (*Place, error)
	// Below reports whether a root is real, or lies below it.
	Below(real string) bool
}

// Place is where a path leads.
type Place struct {
	Dir     Dir      // the deepest folder of the path that exists; the caller closes it
	Info    Info     // of Dir
	Path    string   // its real path, without symbolic links
	Missing []string // the names below it that don't exist, outermost first
}
