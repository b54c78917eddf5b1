"""What the lab boots: kernels, initramfs archives and ext4 images."""

import gzip
import lzma
import os
import re
import shutil
import stat
import subprocess
import zlib

# What the outer kernel and the guests load, in this order, with what each depends on.
OUTER_MODULES = ["kvm-amd", "tun", "veth", "bridge", "vhost-net", "sch_netem", "sch_tbf",
                 "virtio_blk"]
GUEST_MODULES = ["virtio_mmio", "virtio_blk", "virtio_net", "virtio-rng", "button", "evdev",
                 "pvpanic-mmio", "pvpanic-pci"]


class Archive:
    """An initramfs: a cpio archive in the "newc" format (the kernel's
    Documentation/driver-api/early-userspace/buffer-format.rst). Written here, because then device
    nodes need no root, and the same input gives the same bytes."""

    def __init__(self):
        self.entries = []

    def folder(self, path):
        self.entries.append((path, stat.S_IFDIR | 0o755, b"", 0))

    def file(self, path, content, mode=0o755):
        self.entries.append((path, stat.S_IFREG | mode, content, 0))

    def link(self, path, target):
        self.entries.append((path, stat.S_IFLNK | 0o777, target.encode(), 0))

    def copy(self, source, path):
        with open(source, "rb") as file:
            self.file(path, file.read(), 0o755 if os.access(source, os.X_OK) else 0o644)

    def data(self):
        parts = []
        console = ("dev/console", stat.S_IFCHR | 0o600, b"", 0x501)
        for number, (path, mode, content, device) in enumerate(
                [("dev", stat.S_IFDIR | 0o755, b"", 0), console] + self.entries, 1):
            parts.append(self._entry(number, path, mode, content, device))
        parts.append(self._entry(0, "TRAILER!!!", 0, b"", 0))
        return b"".join(parts)

    def unpack(self, folder):
        """Makes a folder with the same content."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(os.path.join(folder, "dev"))
        for path, mode, content, _ in self.entries:
            place = os.path.join(folder, path)
            if stat.S_ISDIR(mode):
                os.makedirs(place, exist_ok=True)
            elif stat.S_ISLNK(mode):
                os.symlink(content, place.encode())
            else:
                with open(place, "wb") as file:
                    file.write(content)
                os.chmod(place, mode & 0o777)

    def _entry(self, number, path, mode, content, device):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, device >> 8, device & 255,
                  len(name), 0)
        entry = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        entry += b"\0" * (-len(entry) % 4) + content
        return entry + b"\0" * (-len(entry) % 4)


class Modules:
    """The kernel's modules, found by name and ordered by what they need of each other."""

    def __init__(self, folder):
        self.paths = {}
        for parent, _, names in os.walk(folder):
            for name in names:
                if ".ko" in name:
                    self.paths[self._plain(name.split(".ko")[0])] = os.path.join(parent, name)

    @staticmethod
    def _plain(name):
        return name.replace("-", "_")

    def add(self, archive, names):
        """Adds the modules and the file /modules, which lists them in the order to load them."""
        order, contents = [], {}

        def need(name):
            plain = self._plain(name)
            if plain in contents or plain not in self.paths:
                return
            content = self._read(self.paths[plain])
            contents[plain] = content
            depends = re.search(rb"\0depends=([^\0]*)\0", content)
            for other in depends.group(1).decode().split(",") if depends else []:
                need(other)
            order.append(plain)

        for name in names:
            need(name)
        archive.folder("lib/modules")
        for name in order:
            archive.file(f"lib/modules/{name}.ko", contents[name], 0o644)
        archive.file("modules", "".join(f"{name}\n" for name in order).encode(), 0o644)

    @staticmethod
    def _read(path):
        with open(path, "rb") as file:
            content = file.read()
        if path.endswith(".xz"):
            return lzma.decompress(content)
        if path.endswith(".gz"):
            return gzip.decompress(content)
        if path.endswith(".zst"):
            return _zstd(content)
        return content


def base_archive(packages):
    """What both machines have: folders and busybox."""
    archive = Archive()
    for path in ("bin", "sbin", "usr", "usr/bin", "usr/sbin", "proc", "sys", "run", "tmp", "etc",
                 "mnt", "lib", "art"):
        archive.folder(path)
    archive.copy(packages.busybox, "bin/busybox")
    applets = subprocess.run([packages.busybox, "--list"], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            archive.link(f"bin/{applet}", "busybox")
    return archive


def uncompressed_kernel(path):
    """The ELF kernel which is compressed inside a bzImage. It boots by PVH, and need not be
    decompressed under emulation."""
    with open(path, "rb") as file:
        image = file.read()
    for magic, decompress in ((b"\xfd7zXZ\0", lambda data: lzma.LZMADecompressor().decompress(data)),
                              (b"\x28\xb5\x2f\xfd", _zstd),
                              (b"\x1f\x8b\x08", lambda data: zlib.decompressobj(31).decompress(data))):
        place = image.find(magic)
        while place >= 0:
            try:
                kernel = decompress(image[place:])
            except (lzma.LZMAError, zlib.error):
                kernel = b""
            if kernel.startswith(b"\x7fELF"):
                return kernel
            place = image.find(magic, place + 1)
    raise RuntimeError(f"{path} has no kernel inside that can be decompressed here")


def _zstd(data):
    # Status 1 and a warning: the kernel is followed by its length.
    return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False).stdout


def ext4(image, megabytes, folder=None):
    """An ext4 image, sparse, with the content of a folder."""
    if os.path.exists(image):
        os.remove(image)
    content = ["-d", folder] if folder else []
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,root_owner=0:0"]
                   + content + [image, f"{megabytes}M"], check=True, env=environment,
                   stdout=subprocess.DEVNULL)


def copy_libraries(program, folder, environment=None):
    """Copies the shared libraries which a program of this machine needs into one folder."""
    os.makedirs(folder, exist_ok=True)
    listing = subprocess.run(["ldd", program], env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=False).stdout
    for library in re.findall(r"(?:=> )?(/\S+) \(0x", listing):
        shutil.copy(library, os.path.join(folder, os.path.basename(library)))


def write_if_new(path, content):
    """Writes a file unless it has this content."""
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read() == content:
                return
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.rename(path + ".new", path)
