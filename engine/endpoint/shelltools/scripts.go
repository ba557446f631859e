package shelltools

// The scripts. Each is one line in single quotes, so that any login shell (sh, csh, fish) hands it to sh unread: it has no
// single quote, no newline, no exclamation mark and no doubled backslash. Statuses of 70 and above are our own.

const (
	exitFolder = 71 // the folder isn't there, or is another one by now
	exitLink   = 72 // a symbolic link is on an item's way
	exitMake   = 73 // a folder on an item's way can't be made
	marker     = "KETTER-DATA"
)

const (
	// Nothing of the account's settings may change what a tool does. Programs that are installed by hand count, too.
	settings = `exec sh -c '` +
		`LC_ALL=C; export LC_ALL; COPYFILE_DISABLE=1; export COPYFILE_DISABLE; ` +
		`unset CDPATH TAR_OPTIONS TAR_READER_OPTIONS TAR_WRITER_OPTIONS POSIXLY_CORRECT UNZIP UNZIPOPT; ` +
		`PATH=$PATH:/usr/local/bin:/opt/homebrew/bin:/opt/local/bin; export PATH; `

	// line reads one line into $l; enter makes the first one the current folder, if no symbolic link leads there.
	line = `line() { IFS= read -r l || exit 71; ` +
		`case $l in b*) l=$(printf "%b." "${l#b}"); l=${l%.} ;; *) l=${l#p} ;; esac; }; `
	enter = settings + line + `line; cd -P -- "$l" && [ "$PWD" = "$l" ] || exit 71; `

	// makeWays makes the folders that the next lines name, outermost first, up to an empty one.
	makeWays = `while line; [ "$l" ]; do [ -d "$l" ] || mkdir -m 700 "$l"; [ -d "$l" ] || exit 73; ` +
		`if [ -h "$l" ]; then exit 72; fi; done; `

	// begin is where a program's output begins, whatever the account's shell has said before.
	begin = `printf "\nKETTER-DATA\n"; `
)

// What makes files and links, with the exact modes, replacing nothing.
const (
	unpackGNU     = enter + makeWays + `exec tar -x -f - -p -k -o --warning=no-unknown-keyword'`
	unpackBSD     = enter + makeWays + `exec tar -x -f - -p -k -o'`
	unpackBusybox = enter + makeWays + `umask 0; exec tar -x -f - -k -o'` // which asks open(2) for the modes
	makeFolders   = enter + makeWays + `exit 0'`
	unpackZip     = enter + makeWays + `line; exec unzip -q -n -K "$l" </dev/null'`
)

// What gives folders that are there their attributes. Busybox doesn't, for users other than root.
const (
	foldersGNU = enter + `exec tar -x -f - -p -o --delay-directory-restore --warning=no-unknown-keyword'`
	foldersBSD = enter + `exec tar -x -f - -p -o'`
)

// What makes durable the files and folders that NUL-separated names name, the whole file system at once where that is
// as good. A file that its owner may not open is only reached so.
const (
	syncFiles = enter + `case $(stat -f -c %T .) in ext2/ext3|xfs|btrfs|tmpfs) sync -f . && exec cat >/dev/null; exit 1 ;; esac; ` +
		`xargs -0 sync -- || exec sync -f .'`
	syncAll = enter + `cat >/dev/null; exec sync'`
)

// What reads the files that NUL-separated names name.
const (
	packGNU = enter + begin + `exec tar -c -f - --format=posix --pax-option=delete=atime,delete=ctime --hard-dereference ` +
		`--no-recursion --null -T -'`
	packBSD     = enter + begin + `exec tar -c -f - --format pax --options hdrcharset=BINARY -n --null -T -'`
	packBusybox = enter + begin + `exec xargs -0 tar -c -f -'`
	digest      = enter + begin + `exec xargs -0 xxh64sum'`
)

// probe tells which tools there are, in one line. A GNU tar without --skip-old-files is one whose -k may leave out in silence.
const probe = settings +
	`t=none; case $(tar --skip-old-files --hard-dereference --warning=no-unknown-keyword --version 2>/dev/null </dev/null) in ` +
	`*"GNU tar"*) t=gnu ;; *) case $(tar --version 2>/dev/null </dev/null) in *bsdtar*) t=bsd ;; *"GNU tar"*) ;; ` +
	`*) case $(tar --help 2>&1 </dev/null) in *BusyBox*) t=busybox ;; esac ;; esac ;; esac; ` +
	`z=0; case $(unzip -v 2>/dev/null </dev/null) in *Info-ZIP*) z=1 ;; esac; ` +
	`a=0; case $(printf "a b\0c" | xargs -0 printf "%s," 2>/dev/null) in "a b,c,") a=1 ;; esac; ` +
	`x=0; case $a$(xxh64sum </dev/null 2>/dev/null) in 1ef46db3751d8e999*) x=1 ;; esac; ` +
	`u=$(uname); s=none; case $(sync --version 2>/dev/null </dev/null) in *coreutils*) s=files ;; ` +
	`*) if [ "$u" = Linux ]; then s=all; fi ;; esac; ` +
	`case $a$t in 0busybox) t=none ;; esac; case $a$s in 0files) s=none ;; esac; ` +
	`printf "\nKETTER-TOOLS tar=%s unzip=%s xxh64sum=%s sync=%s umask=%s uname=%s\n" $t $z $x $s $(umask) "$u"'`
