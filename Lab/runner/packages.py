"""Debian's packages for the lab: downloaded with an apt state of its own, unpacked, not installed.

Everything is below one folder, outside the checkout. The mirror is the machine's own.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess

# QEMU 7.2, bookworm's own, panics the outer kernel under load on several processors.
QEMU_SUITES = {"bookworm": "bookworm-backports", "trixie": "trixie"}
QEMU = ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"]
KERNEL_SUITE = "trixie"
KERNEL = "linux-image-cloud-amd64"


class Unavailable(Exception):
    """The packages cannot be had here; the text says why."""


def cache_folder():
    """Where downloads, what was unpacked, and snapshots are kept."""
    default = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("MARTLET_LAB_CACHE") or os.path.join(default, "martlet-lab")


class Packages:
    """What was unpacked: paths of the programs and files which the lab takes from it."""

    def __init__(self, root):
        self.root = root
        self.busybox = self._one("bin/busybox")
        self.kernel = self._one("boot/vmlinuz-*")
        self.modules = self._one("usr/lib/modules/*")
        self.qemu = self._one("usr/bin/qemu-system-x86_64")
        self.qemu_data = [self._one("usr/share/qemu"), self._one("usr/share/seabios")]

    def _one(self, pattern):
        found = sorted(glob.glob(os.path.join(self.root, pattern)))
        if not found:
            raise Unavailable(f"the downloaded packages have no {pattern}")
        return found[-1]

    @property
    def library_folders(self):
        """Folders of the libraries which QEMU needs and the machine has not installed."""
        folders = {os.path.dirname(path)
                   for path in glob.glob(os.path.join(self.root, "**/*.so*"), recursive=True)}
        return sorted(folder for folder in folders if "/qemu" not in folder)

    @property
    def environment(self):
        """The environment to start the unpacked QEMU with."""
        return dict(os.environ, LD_LIBRARY_PATH=":".join(self.library_folders))

    def missing_libraries(self):
        listing = subprocess.run(["ldd", self.qemu], env=self.environment, text=True,
                                 stdout=subprocess.PIPE, check=True).stdout
        return re.findall(r"(\S+) => not found", listing)


def fetch():
    """The unpacked packages; downloads them when they are not there yet."""
    cache = cache_folder()
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _fetch(cache)


def _fetch(cache):
    root = os.path.join(cache, "root")
    stamp = os.path.join(cache, "root.stamp")
    with open(__file__, "rb") as script:
        wanted = hashlib.sha256(script.read()).hexdigest()
    if os.path.exists(stamp):
        with open(stamp) as file:
            packages = Packages(root) if file.read() == wanted else None
        if packages and not packages.missing_libraries():
            return packages

    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"it takes Debian's packages, and there is no {tool}")
    suite = _codename()
    if suite not in QEMU_SUITES:
        raise Unavailable(f"it knows Debian {' and '.join(QEMU_SUITES)}, not {suite or 'this system'}")
    source = _machine_source(suite)
    print("lab: downloading Debian's packages", flush=True)
    shutil.rmtree(root, ignore_errors=True)
    if os.path.exists(stamp):
        os.remove(stamp)
    debs = os.path.join(cache, "debs")
    shutil.rmtree(debs, ignore_errors=True)
    os.makedirs(debs)

    kernel_apt = Apt(os.path.join(cache, "apt-kernel"), source, [KERNEL_SUITE])
    kernel_apt.download([kernel_apt.newest_dependency(KERNEL)], debs)
    qemu_suite = QEMU_SUITES[suite]
    apt = Apt(os.path.join(cache, "apt"), source, sorted({suite, qemu_suite}))
    wanted_packages = [f"{name}/{qemu_suite}" for name in QEMU]
    apt.download(wanted_packages + ["busybox-static"], debs)
    apt.download_dependencies(wanted_packages, debs)
    for deb in sorted(glob.glob(os.path.join(debs, "*.deb"))):
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True)

    packages = Packages(root)
    missing = packages.missing_libraries()
    if missing:
        raise Unavailable(f"QEMU lacks the libraries {', '.join(missing)}")
    with open(stamp, "w") as file:
        file.write(wanted)
    return packages


class Apt:
    """An apt which has its own sources, lists and cache, and the machine's record of what is
    installed."""

    def __init__(self, folder, source, suites):
        lists = os.path.join(folder, "lists")
        cache = os.path.join(folder, "cache")
        self.archives = os.path.join(cache, "archives")
        for path in (os.path.join(lists, "partial"), os.path.join(self.archives, "partial")):
            os.makedirs(path, exist_ok=True)
        sources = os.path.join(folder, "sources.list")
        with open(sources, "w") as file:
            for suite in suites:
                file.write(f"deb {source.options}{source.uri} {suite} main\n")
        self.options = []
        for option in (f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=/dev/null",
                       "Dir::Etc::preferences=/dev/null", "Dir::Etc::preferencesparts=/dev/null",
                       f"Dir::State::lists={lists}", f"Dir::Cache={cache}",
                       "APT::Sandbox::User=root", "APT::Architecture=amd64",
                       "Acquire::Languages=none", "Acquire::Retries=3", "Debug::NoLocking=1"):
            self.options += ["-o", option]
        self._run("apt-get", ["update", "-qq"])

    def newest_dependency(self, name):
        """The package which a package of Debian's stands for, in its newest version."""
        text = self._run("apt-cache", ["show", name])
        found = re.findall(r"^Depends: ([^ ,]+)", text, re.MULTILINE)
        if not found:
            raise Unavailable(f"the mirror has no {name}")
        return found[0]

    def download(self, names, folder):
        self._run("apt-get", ["download", "-qq"] + names, folder)

    def download_dependencies(self, names, folder):
        """What would have to be installed on this machine beside the named packages."""
        self._run("apt-get", ["install", "-qq", "-y", "--no-install-recommends",
                              "--download-only"] + names)
        for deb in glob.glob(os.path.join(self.archives, "*.deb")):
            shutil.move(deb, os.path.join(folder, os.path.basename(deb)))

    def _run(self, program, arguments, folder=None):
        run = subprocess.run([program] + self.options + arguments, cwd=folder, text=True,
                             env=dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        errors = [line for line in run.stderr.splitlines() if line.startswith("E:")]
        if run.returncode != 0 or errors:
            reason = errors[0] if errors else f"status {run.returncode}"
            raise Unavailable(f"{program} {arguments[0]} did not work: {reason}")
        return run.stdout


class Source:
    """A mirror, and how apt is told to trust it."""

    def __init__(self, uri, options=""):
        self.uri = uri
        self.options = options


def _codename():
    try:
        with open("/etc/os-release") as file:
            text = file.read()
    except OSError:
        return None
    if not re.search(r"^ID=debian$", text, re.MULTILINE):
        return None
    found = re.search(r"^VERSION_CODENAME=(\w+)$", text, re.MULTILINE)
    return found.group(1) if found else None


def _machine_source(suite, etc="/etc/apt"):
    """The mirror from which this machine takes `suite`, of either kind of sources file."""
    for path in [f"{etc}/sources.list"] + sorted(glob.glob(f"{etc}/sources.list.d/*.list")):
        for line in _lines(path):
            found = re.match(r"deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s", line + " ")
            if found and found.group(3) == suite:
                return Source(found.group(2), found.group(1) or "")
    for path in sorted(glob.glob(f"{etc}/sources.list.d/*.sources")):
        for stanza in "\n".join(_lines(path)).split("\n\n"):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
            if suite in fields.get("Suites", "").split() and fields.get("Enabled") != "no":
                options = []
                if fields.get("Signed-By", "").startswith("/"):
                    options.append(f"signed-by={fields['Signed-By']}")
                if fields.get("Trusted"):
                    options.append(f"trusted={fields['Trusted']}")
                text = f"[{' '.join(options)}] " if options else ""
                return Source(fields["URIs"].split()[0], text)
    raise Unavailable(f"apt's sources on this machine name no mirror of {suite}")


def _lines(path):
    try:
        with open(path) as file:
            return [line for line in file.read().split("\n") if not line.startswith("#")]
    except OSError:
        return []
