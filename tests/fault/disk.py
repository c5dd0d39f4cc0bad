# SPDX-License-Identifier: MIT
"""What a command did to the disk, from its system-call trace, and what a disk may hold after a cut (see powercut)."""
import ast
import itertools
import os
import re
import stat

import lab

VOLUME = 8 << 20
SECTOR = 4096
COMBINATIONS = 3000     # of the contents of several files at one cut; more are reported, not dropped in silence
TRACED = ("open,openat,creat,close,dup,dup2,dup3,fcntl,lseek,read,readv,write,writev,pwrite64,pwritev,pwritev2,ftruncate,"
          "truncate,fallocate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,"
          "fsync,fdatasync,sync,syncfs,sync_file_range,mmap,clone,clone3,fork,vfork,chdir,fchdir,fchmod,fchmodat,chmod,"
          "copy_file_range,sendfile,splice,mknodat,mknod")


class Unmodelled(Exception):
    """The command does what this model knows nothing of."""


# --- what the trace says ------------------------------------------------------------------------------------------

def trace(scenario, work, log):
    argv = ["strace", "-f", "-xx", "-s", str(40 << 20), "-e", "trace=" + TRACED, "-e", "signal=none", "-o", log]
    r = lab.run(argv + scenario.command, work, scenario.stdin)
    if r.status:
        raise RuntimeError("'%s' fails under strace: %s" % (scenario.name, r.err.decode()))


def calls_of(log):
    """(pid, name, [arguments], result) of every call that succeeded, in the order of their ends."""
    parts = {}
    with open(log, "r", errors="replace") as f:
        for line in f:
            pid, _, rest = line.rstrip("\n").partition(" ")
            rest = rest.lstrip()
            if rest.endswith("<unfinished ...>"):
                parts[pid] = rest[:-len("<unfinished ...>")].rstrip()
                continue
            m = re.match(r"<\.\.\. \w+ resumed>", rest)
            if m:
                rest = parts.pop(pid, "") + rest[m.end():]
            m = re.match(r"(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)", rest)
            if m and not m.group(3).startswith("-"):
                yield pid, m.group(1), split(m.group(2)), int(m.group(3), 0)


def split(text):
    """Arguments; strings have no comma (-xx), but structures and flags stay whole."""
    out, depth, at = [], 0, 0
    for i, c in enumerate(text):
        if c in "{[(":
            depth += 1
        elif c in "}])":
            depth -= 1
        elif c == "," and depth == 0:
            out.append(text[at:i].strip())
            at = i + 1
    return out + [text[at:].strip()]


def string(arg):
    """None: strace cannot read it, as from memfd_secret(2)."""
    if arg.startswith("0x"):
        return None
    return b"" if arg == "NULL" else ast.literal_eval("b" + arg)


# --- the disk: inodes, and a list of what happens to them ---------------------------------------------------------

class Disk:
    """Follows the calls. ops: ("data", inode, change), ("name", {dirs}, [(dir, name, inode or None)...]), ("sync", inode, its
    number among all fsync and fdatasync calls), ("syncall",). A change is ("write", at, bytes), ("size", n), ("grow", n)."""

    def __init__(self, root):
        self.root, self.ops = os.path.realpath(root), []
        self.next, self.kind, self.mode = 0, {}, {}     # kind: "dir", "file" or the target of a link
        self.tree, self.content = {}, {}                # volatile: dir -> {name: inode}; initial: file -> path
        self.top = self.load(self.root)
        self.initial = {d: dict(n) for d, n in self.tree.items()}
        self.fds = {}                                   # pid -> {fd: [inode, offset or None for O_APPEND, path]}
        self.cwd = self.root
        self.syncs = 0

    def new(self, kind, mode):
        self.next += 1
        self.kind[self.next], self.mode[self.next] = kind, mode
        if kind == "dir":
            self.tree[self.next] = {}
        return self.next

    def load(self, path):
        st = os.lstat(path)
        mode = stat.S_IMODE(st.st_mode)
        if stat.S_ISLNK(st.st_mode):
            return self.new(("link", os.readlink(path)), mode)
        if not stat.S_ISDIR(st.st_mode):
            n = self.new("file", mode)
            self.content[n] = path
            return n
        n = self.new("dir", mode)
        for name in sorted(os.listdir(path)):
            self.tree[n][name] = self.load(os.path.join(path, name))
        return n

    def table(self, pid):
        if pid not in self.fds:     # the first process, or a thread whose clone was not seen yet
            self.fds[pid] = next(iter(self.fds.values()), {})
        return self.fds[pid]

    def full(self, pid, dirfd, path):
        path = path.decode("utf-8", "surrogateescape").replace("/proc/self/cwd", self.cwd, 1)
        if path.startswith("/"):
            base = ""
        elif dirfd == "AT_FDCWD":
            base = self.cwd
        else:
            f = self.table(pid).get(int(dirfd))
            base = f[2] if f else "/?"
        path = os.path.normpath(os.path.join(base, path))
        m = re.match(r"/proc/self/fd/(\d+)$", path)
        if m:
            return "fd", int(m.group(1))
        return "path", path

    def parts(self, path):
        """Names below the root, or None for what is elsewhere."""
        if path == self.root:
            return []
        return path[len(self.root) + 1:].split("/") if path.startswith(self.root + "/") else None

    def find(self, path):
        """(directory inode, name, inode or None); None for what is elsewhere."""
        names = self.parts(path)
        if names is None:
            return None
        if not names:
            return None, "", self.top
        at = self.top
        for name in names[:-1]:
            at = self.tree.get(at, {}).get(name)
            if at is None or self.kind[at] != "dir":
                return None
        return at, names[-1], self.tree[at].get(names[-1])

    def name(self, changes):
        for d, n, inode in changes:
            if inode is None:
                self.tree[d].pop(n, None)
            else:
                self.tree[d][n] = inode
        self.ops.append(("name", {d for d, _, _ in changes}, changes))

    # Each method: one family of calls.

    def open(self, pid, dirfd, path, flags, mode, fd):
        what, full = self.full(pid, dirfd, string(path))
        table = self.table(pid)
        table.pop(fd, None)
        if what == "fd":
            if full in table:
                table[fd] = list(table[full])
            return
        if "O_TMPFILE" in flags:
            if self.find(full):
                table[fd] = [self.new("file", mode), 0, "/?"]
            return
        f = self.find(full)
        if f is None:
            table[fd] = [None, 0, full]     # elsewhere: only its path counts, for what is opened relative to it
            return
        d, n, inode = f
        if inode is None:
            if "O_CREAT" not in flags:
                raise Unmodelled("open of '%s', which is not there" % full)
            inode = self.new("file", mode)
            self.name([(d, n, inode)])
        elif "O_TRUNC" in flags:
            self.ops.append(("data", inode, ("size", 0)))
        table[fd] = [inode, None if "O_APPEND" in flags else 0, full]

    def write(self, f, at, data, length):
        if at is None:
            raise Unmodelled("O_APPEND")
        self.ops.append(("data", f[0], ("write", at, data[:length] if data is not None else length)))

    def fill(self):
        """Bytes that strace could not read are in the files by now."""
        paths = {}

        def walk(inode, path):
            for name, child in self.tree.get(inode, {}).items():
                paths[child] = os.path.join(path, name)
                walk(child, paths[child])

        walk(self.top, self.root)
        for i, op in enumerate(self.ops):
            if op[0] == "data" and op[2][0] == "write" and isinstance(op[2][2], int):
                if op[1] not in paths:
                    raise Unmodelled("a write of secret memory to a file that is gone")
                with open(paths[op[1]], "rb") as f:
                    f.seek(op[2][1])
                    self.ops[i] = ("data", op[1], ("write", op[2][1], f.read(op[2][2])))

    def rename(self, pid, a, b, flags):
        (_, a), (_, b) = a, b
        x, y = self.find(a), self.find(b)
        if x is None and y is None:
            return
        if x is None or y is None or x[2] is None:
            raise Unmodelled("rename across the edge: '%s' to '%s'" % (a, b))
        if "RENAME_EXCHANGE" in flags:
            self.name([(x[0], x[1], y[2]), (y[0], y[1], x[2])])
        elif x[2] != y[2]:
            self.name([(x[0], x[1], None), (y[0], y[1], x[2])])
        for table in self.fds.values():     # descriptors of directories move along
            for f in table.values():
                if f[2] == a or f[2].startswith(a + "/"):
                    f[2] = b + f[2][len(a):]

    def link(self, pid, a, b):
        if a[0] == "fd":
            f = self.table(pid).get(a[1])
            inode = f[0] if f else None
        else:
            found = self.find(a[1])
            inode = found[2] if found else None
        to = self.find(b[1])
        if to is None and inode is None:
            return
        if to is None or inode is None:
            raise Unmodelled("link across the edge")
        self.name([(to[0], to[1], inode)])

    def unlink(self, path):
        f = self.find(path[1])
        if f and f[2] is not None:
            self.name([(f[0], f[1], None)])

    def mkdir(self, path, mode):
        f = self.find(path[1])
        if f:
            self.name([(f[0], f[1], self.new("dir", mode))])

    def call(self, pid, name, a, result):
        table = self.table(pid)
        f = table.get(int(a[0])) if a and a[0].isdigit() else None
        at = lambda i: self.full(pid, a[i], string(a[i + 1]))      # the pair (directory descriptor, path)
        here = lambda i: self.full(pid, "AT_FDCWD", string(a[i]))
        if name == "openat":
            self.open(pid, a[0], a[1], a[2], int(a[3], 8) if len(a) > 3 else 0, result)
        elif name == "open":
            self.open(pid, "AT_FDCWD", a[0], a[1], int(a[2], 8) if len(a) > 2 else 0, result)
        elif name == "close":
            table.pop(int(a[0]), None)
        elif name in ("dup", "dup2", "dup3") or (name == "fcntl" and a[1].startswith("F_DUPFD")):
            table.pop(result, None)
            if f:
                table[result] = f       # shares the offset
        elif name in ("clone", "clone3", "fork", "vfork"):
            shared = any("CLONE_FILES" in x for x in a)
            self.fds[str(result)] = table if shared else {k: list(v) for k, v in table.items()}
        elif name == "chdir":
            self.cwd = here(0)[1]
        elif name in ("rename", "link"):
            self.rename(pid, here(0), here(1), "") if name == "rename" else self.link(pid, here(0), here(1))
        elif name in ("renameat", "renameat2"):
            self.rename(pid, at(0), at(2), a[4] if len(a) > 4 else "")
        elif name == "linkat":
            self.link(pid, ("fd", int(a[0])) if "AT_EMPTY_PATH" in a[4] else at(0), at(2))
        elif name in ("unlink", "rmdir"):
            self.unlink(here(0))
        elif name == "unlinkat":
            self.unlink(at(0))
        elif name == "mkdir":
            self.mkdir(here(0), int(a[1], 8))
        elif name == "mkdirat":
            self.mkdir(at(0), int(a[2], 8))
        elif name in ("chmod", "fchmodat"):
            where = self.find((here(0) if name == "chmod" else at(0))[1])
            if where:
                self.mode[where[2]] = int(a[1 if name == "chmod" else 2], 8)
        elif name in ("sync", "syncfs"):
            self.ops.append(("syncall",))
        elif name in ("symlink", "symlinkat", "mknod", "mknodat", "truncate"):
            path = here(0) if name in ("mknod", "truncate") else here(1) if name == "symlink" else \
                at(1) if name == "symlinkat" else at(0)
            if self.parts(path[1]) is not None:
                raise Unmodelled(name)
        elif f and f[0] is not None:
            self.on_file(name, a, result, f)

    def on_file(self, name, a, result, f):
        if self.kind[f[0]] == "dir":
            if name in ("fsync", "fdatasync"):
                self.ops.append(("sync", f[0], self.syncs))
            elif name == "fchdir":
                self.cwd = f[2]
        elif name == "read":
            f[1] = None if f[1] is None else f[1] + result
        elif name == "lseek":
            f[1] = result
        elif name == "write":
            self.write(f, f[1], string(a[1]), result)
            f[1] += result
        elif name == "pwrite64":
            self.write(f, int(a[3]), string(a[1]), result)
        elif name in ("writev", "pwritev"):
            data = b"".join(string(s) for s in re.findall(r'iov_base=("(?:\\x[0-9a-f]{2})*")', a[1]))
            if len(data) < result:
                raise Unmodelled("writev of secret memory")
            self.write(f, int(a[3]) if name == "pwritev" else f[1], data, result)
            if name == "writev":
                f[1] += result
        elif name == "ftruncate":
            self.ops.append(("data", f[0], ("size", int(a[1]))))
        elif name == "fallocate":
            if a[1] != "0":
                raise Unmodelled("fallocate " + a[1])
            self.ops.append(("data", f[0], ("grow", int(a[2]) + int(a[3]))))
        elif name in ("fsync", "fdatasync"):
            self.ops.append(("sync", f[0], self.syncs))
        elif name == "fchmod":
            self.mode[f[0]] = int(a[1], 8)
        elif name == "mmap" and "MAP_SHARED" in a[3] and "PROT_WRITE" in a[2]:
            raise Unmodelled("a shared writable mapping")
        elif name in ("copy_file_range", "sendfile", "splice", "pwritev2"):
            raise Unmodelled(name)

    def follow(self, log):
        for pid, name, args, result in calls_of(log):
            if name in ("fsync", "fdatasync"):
                self.syncs += 1
            if name == "mmap":      # the descriptor is the fifth argument
                f = self.table(pid).get(int(args[4])) if args[4].isdigit() else None
                if f and f[0] is not None and self.kind[f[0]] != "dir":
                    self.on_file(name, args, result, f)
                continue
            self.call(pid, name, args, result)


# --- the states a cut may leave -----------------------------------------------------------------------------------

def apply(content, change):
    kind = change[0]
    if kind == "size":
        return content[:change[1]].ljust(change[1], b"\0")
    if kind == "grow":
        return content.ljust(change[1], b"\0")
    at, data = change[1:]
    return content[:at].ljust(at, b"\0") + data + content[at + len(data):]


def contents_small(durable, pending):
    """Every content of a file whose changes since its last sync are PENDING."""
    seen, now = [durable], durable
    for i, change in enumerate(pending):
        if change[0] == "write":
            at, data = change[1:]
            cuts = set(range(SECTOR - at % SECTOR, len(data), SECTOR)) | ({len(data) // 2} if len(data) > 1 else set())
            for s in sorted(cuts):
                seen.append(apply(now, ("write", at, data[:s])))                        # torn, front first
                seen.append(apply(now, ("write", at + s, data[s:])))                    # torn, end first
            seen.append(apply(now, ("write", at, b"\0" * len(data))))                   # the size, not the data
        if i:
            seen.append(apply(durable, change))                                        # this one alone
        now = apply(now, change)
        seen.append(now)
    return list(dict.fromkeys(seen))


def contents_volume(pending):
    """Tuples of changes: all but the last as they are, and the last one up to each 4096 bytes, with a torn sector."""
    if not pending:
        return [()]
    done, last = tuple(pending[:-1]), pending[-1]
    out = [done, done + (last,)]
    if last[0] == "write":
        at, data = last[1:]
        middle = len(data) // 2 // SECTOR * SECTOR
        for s in range(0, len(data), SECTOR):
            if at + s >= 65536 and s not in (0, middle) and s + SECTOR < len(data):
                continue        # inside of a key slot's area: any cut is like any other
            block = data[s:s + SECTOR]
            half = len(block) // 2
            torn = data[:s] + block[:half] + b"\xaa" * (len(block) - half)
            out += [done + (("write", at, data[:s]),), done + (("write", at, torn),)]
    return list(dict.fromkeys(out))


class Cuts:
    """Goes through the operations and gives every distinct state."""

    def __init__(self, disk):
        self.disk, self.capped = disk, 0
        self.durable, self.pending = {}, {}
        self.volumes = {i for i, p in disk.content.items() if os.stat(p).st_size >= VOLUME} | \
            {op[1] for op in disk.ops if op[0] == "data" and op[2][0] != "write" and op[2][1] >= VOLUME}
        for inode, path in disk.content.items():
            if inode not in self.volumes:
                with open(path, "rb") as f:
                    self.durable[inode] = f.read()
        self.history = {i: [] for i in self.volumes}    # of volumes: all changes in order
        self.names = {d: dict(n) for d, n in disk.initial.items()}
        self.queue = []

    def step(self, op):
        if op[0] == "data":
            inode = op[1]
            if inode in self.volumes:
                self.history[inode].append(op[2])
            else:
                self.pending.setdefault(inode, []).append(op[2])
        elif op[0] == "name":
            self.queue.append(op)
        else:
            inodes = [op[1]] if op[0] == "sync" else list(self.pending) + list(self.disk.tree)
            for inode in inodes:
                for change in self.pending.pop(inode, ()):
                    self.durable[inode] = apply(self.durable.get(inode, b""), change)
                for n in [n for n in self.queue if inode in n[1]]:
                    self.keep(self.names, n)
                    self.queue.remove(n)

    @staticmethod
    def keep(names, op):
        for d, n, inode in op[2]:
            d = names.setdefault(d, {})
            if inode is None:
                d.pop(n, None)
            else:
                d[n] = inode

    def trees(self):
        names = {d: dict(n) for d, n in self.names.items()}
        yield names
        for op in self.queue:
            names = {d: dict(n) for d, n in names.items()}
            self.keep(names, op)
            yield names

    def reachable(self, names):
        files, dirs = [], [self.disk.top]
        for d in dirs:
            for inode in names.get(d, {}).values():
                (dirs if self.disk.kind[inode] == "dir" else files).append(inode)
        return sorted(set(files))

    def states(self):
        """(names, {inode: content})."""
        for names in self.trees():
            files, options = self.reachable(names), []
            for inode in files:
                if inode in self.volumes:
                    options.append(contents_volume(self.history[inode]))
                elif self.disk.kind[inode] == "file":
                    options.append(contents_small(self.durable.get(inode, b""), self.pending.get(inode, ())))
                else:
                    options.append([None])
            total = 1
            for o in options:
                total *= len(o)
            self.capped += max(0, total - COMBINATIONS)
            for combination in itertools.islice(itertools.product(*options), COMBINATIONS):
                yield names, dict(zip(files, combination))


def make(disk, names, contents, inode, path):
    os.mkdir(path, 0o700)
    for name, child in names.get(inode, {}).items():
        to, kind = os.path.join(path, name), disk.kind[child]
        if kind == "dir":
            make(disk, names, contents, child, to)
            continue
        if isinstance(kind, tuple):
            os.symlink(kind[1], to)
            continue
        content = contents[child]
        if isinstance(content, tuple):
            if child in disk.content:
                lab._copy_file(disk.content[child], to, disk.mode[child])
            else:
                os.close(os.open(to, os.O_CREAT | os.O_EXCL, disk.mode[child]))
            with open(to, "r+b") as f:
                for change in content:
                    if change[0] == "write":
                        f.seek(change[1])
                        f.write(change[2])
                    elif change[0] == "size" or os.fstat(f.fileno()).st_size < change[1]:
                        f.truncate(change[1])
        else:
            with open(to, "wb") as f:
                f.write(content)
                os.fchmod(f.fileno(), disk.mode[child])
    os.chmod(path, disk.mode[inode])


def key_of(disk, names, contents, inode):
    out = []
    for name, child in sorted(names.get(inode, {}).items()):
        out.append((name, key_of(disk, names, contents, child) if disk.kind[child] == "dir" else contents[child]))
    return tuple(out)


def follow(scenario, place):
    """Runs SCENARIO's command in a copy of PLACE/old. Gives (disk, the state it left)."""
    work, log = os.path.join(place, "traced"), os.path.join(place, "log")
    lab.copy(os.path.join(place, "old"), work)
    disk = Disk(work)
    trace(scenario, work, log)
    disk.content = {i: p.replace(work, os.path.join(place, "old"), 1) for i, p in disk.content.items()}
    disk.follow(log)
    disk.fill()
    state = scenario.state(work)
    lab.remove(work)
    return disk, state


# --- the boot after it --------------------------------------------------------------------------------------------

def reboot(work):
    """What is below /run is in memory, and goes with the power. It is another boot then."""
    boot_id = os.path.join(work, "machine/proc/sys/kernel/random/boot_id")
    lab.remove(os.path.join(work, "machine/run"))
    if os.path.exists(boot_id):
        with open(boot_id, "w") as f:
            f.write("ffffffff-0000-4000-8000-000000000000\n")


def after_cut(disk, names, contents, work):
    make(disk, names, contents, disk.top, work)
    reboot(work)


def after_reboot(scenario, place):
    """The states before and after the command, as the next boot sees them."""
    work, states = os.path.join(place, "rebooted"), []
    for command in (["true"], scenario.command):
        lab.copy(os.path.join(place, "old"), work)
        lab.run(command, work, scenario.stdin)
        reboot(work)
        states.append(scenario.state(work))
        lab.remove(work)
    return states


def sync_needed(scenario, place, number):
    """Whether the success of the NUMBER-th fsync is what makes the state after the command certain."""
    disk, _ = follow(scenario, place)
    cuts, work, needed = Cuts(disk), os.path.join(place, "cut%d" % number), False
    _, new = after_reboot(scenario, place)
    for op in disk.ops:
        if op[0] != "sync" or op[2] != number:
            cuts.step(op)
    for names, contents in cuts.states():
        after_cut(disk, names, contents, work)
        needed = needed or scenario.state(work) != new
        lab.remove(work)
    return needed
