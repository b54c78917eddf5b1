"""The lab: what it boots, and running a scenario in an outer machine of its own."""

import hashlib
import os
import shutil

import certificates
import images
from machine import COMMAND_LINE, MEMORY, Gone, OuterMachine
from packages import cache_folder

RUNNER = os.path.dirname(os.path.abspath(__file__))
HERE = os.path.dirname(RUNNER)
PROJECT = os.path.dirname(HERE)


class Lab:
    """The images, and the snapshot from which each scenario gets an outer machine of its own."""

    def __init__(self, packages, with_qemu=False):
        """The images for the binaries that were built. For comparisons `with_qemu` adds a disk
        with a QEMU that runs in the outer machine."""
        self.packages = packages
        self.work = work = os.path.join(PROJECT, ".build", "lab")
        self.snapshot = None
        martlet = (os.environ.get("MARTLET_BINARY")
                   or os.path.join(PROJECT, ".build/release/martlet"))
        lodger = os.path.join(PROJECT, ".build/lodger/lodger")
        os.makedirs(work, exist_ok=True)
        modules = images.Modules(packages.modules)
        outer, guest = images.base_archive(packages), images.base_archive(packages)
        modules.add(outer, images.OUTER_MODULES)
        modules.add(guest, images.GUEST_MODULES)
        for archive, name in ((outer, "outer"), (guest, "guest")):
            archive.copy(os.path.join(HERE, name, "init"), "init")
            archive.copy(os.path.join(HERE, "guest", "agent"), "agent")
        # The programs of the machine at hand that run there find their libraries on the disk.
        outer.link("lib64", "/art/lib")
        outer.link("lib/x86_64-linux-gnu", "/art/lib")
        guest.copy(lodger, "bin/lodger")
        guest.link("sbin/init", "/init")
        self.kernel = os.path.join(work, "vmlinux")
        images.write_if_new(self.kernel, images.uncompressed_kernel(packages.kernel))
        self.initramfs = os.path.join(work, "outer.cpio")
        images.write_if_new(self.initramfs, outer.data())
        self._make_disk(martlet, lodger, guest)
        self.disks = [self.disk]
        if with_qemu:
            self._make_qemu_disk()

    def _make_disk(self, martlet, lodger, guest):
        """The disk which the outer machine has at /art."""
        art = os.path.join(self.work, "art")
        shutil.rmtree(art, ignore_errors=True)
        os.makedirs(os.path.join(art, "bin"))
        shutil.copytree(HERE, os.path.join(art, "lab"))
        shutil.copy(martlet, os.path.join(art, "bin", "martlet"))
        shutil.copy(lodger, os.path.join(art, "bin", "lodger"))
        for name in ("ip", "tc"):
            tool = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
            shutil.copy(tool, os.path.join(art, "bin", name))
            images.copy_libraries(tool, os.path.join(art, "lib"))
        images.copy_libraries(martlet, os.path.join(art, "lib"))
        shutil.copy(self.kernel, os.path.join(art, "vmlinux"))
        shutil.copy(self.packages.kernel, os.path.join(art, "vmlinuz"))
        with open(os.path.join(art, "guest.cpio"), "wb") as file:
            file.write(guest.data())
        guest.file("on-disk", b"")
        guest.unpack(os.path.join(self.work, "root"))
        certificates.make(os.path.join(art, "tls"))
        images.ext4(os.path.join(art, "root.img"), 64, os.path.join(self.work, "root"))
        images.ext4(os.path.join(art, "data.img"), 64)
        self.disk = os.path.join(self.work, "art.img")
        images.ext4(self.disk, 1024, art)

    def _make_qemu_disk(self):
        """The disk which the outer machine has at /qemu for comparisons."""
        folder = os.path.join(self.work, "qemu")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        shutil.copy(self.packages.qemu, os.path.join(folder, "qemu"))
        images.copy_libraries(self.packages.qemu, os.path.join(folder, "lib"),
                              self.packages.environment)
        for data in self.packages.qemu_data:
            for name in ("bios-256k.bin", "bios-microvm.bin", "linuxboot_dma.bin", "pvh.bin",
                         "kvmvapic.bin"):
                path = os.path.join(data, name)
                if os.path.exists(path):
                    shutil.copy(path, os.path.join(folder, name))
        image = os.path.join(self.work, "qemu.img")
        images.ext4(image, 1024, folder)
        self.disks.append(image)

    def machine(self, name="machine", snapshot=None, processors=1):
        """Starts an outer machine, whose files are in a folder of this name."""
        return OuterMachine(self.packages, self.kernel, self.initramfs, self.disks,
                            os.path.join(self.work, "machines", name), snapshot, processors)

    def prepare_snapshot(self):
        """Boots the outer machine once and keeps it as it is then, for these inputs."""
        key = hashlib.sha256(f"{COMMAND_LINE} {MEMORY} {self.packages.qemu}".encode())
        for path in (self.kernel, self.initramfs, self.packages.qemu,
                     os.path.join(HERE, "runner", "machine.py")):
            with open(path, "rb") as file:
                key.update(hashlib.sha256(file.read()).digest())
        folder = os.path.join(cache_folder(), "snapshots")
        path = os.path.join(folder, key.hexdigest()[:32])
        if not os.path.exists(path):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            machine = self.machine()
            try:
                machine.wait_until_up(120)
                machine.save(path)
            finally:
                machine.stop()
        self.snapshot = path

    def run(self, scenario, verbose):
        """Runs a scenario in an outer machine of its own. Returns the reason why it failed, if
        it did, and what it printed."""
        output = []

        def on_line(line):
            if not line:
                return
            output.append(line)
            if verbose:
                print(f"    {line}", flush=True)

        reason = None
        machine = self.machine(scenario.name, self.snapshot)
        try:
            if not self.snapshot:
                machine.wait_until_up(120)
            machine.command("insmod /lib/modules/virtio_blk.ko; "
                            "mount -t ext4 -o ro /dev/vda /art", 30, on_line)
            if machine.command(f"sh /art/lab/outer/run {scenario.name}",
                               scenario.deadline, on_line) != 0:
                reason = next((line[len("@reason "):] for line in output
                               if line.startswith("@reason ")), "no reason given")
        except Gone as gone:
            reason = str(gone)
            output += ["--- the outer machine's kernel"] + machine.kernel_log(25)
        finally:
            machine.stop()
        return reason, output
