"""The outer machine: QEMU's emulation of a computer with AMD SVM, and a shell in it."""

import json
import os
import select
import shutil
import socket
import subprocess
import time

COMMAND_LINE = ("console=ttyS0 panic=-1 quiet loglevel=4 tsc=reliable no_timer_check "
                "mitigations=off cryptomgr.notests hugepagesz=1G hugepages=1")
MEMORY = "4096"


class Gone(Exception):
    """The outer machine ended or does not answer."""


class OuterMachine:
    """A QEMU process. `command` runs a command in the machine's shell, on its second serial
    port; what its kernel says goes to a file."""

    def __init__(self, packages, kernel, initramfs, disks, folder, snapshot=None,
                 processors=1):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.folder = folder
        self.console = os.path.join(folder, "console")
        # However the runner ends, the machine ends with it.
        arguments = ["setpriv", "--pdeathsig", "KILL", packages.qemu]
        for data in packages.qemu_data:
            arguments += ["-L", data]
        arguments += ["-M", "q35", "-cpu", "max", "-smp", str(processors), "-m", MEMORY,
                      "-accel", "tcg,thread=multi,tb-size=512", "-nodefaults", "-display", "none",
                      "-no-reboot", "-kernel", kernel, "-initrd", initramfs,
                      "-append", COMMAND_LINE, "-serial", f"file:{self.console}",
                      "-chardev", f"socket,id=agent,path={folder}/agent,server=on,wait=off",
                      "-serial", "chardev:agent",
                      "-qmp", f"unix:{folder}/qmp,server=on,wait=off"]
        for number, disk in enumerate(disks):
            arguments += ["-drive", f"file={disk},if=none,id=d{number},format=raw,snapshot=on",
                          "-device", f"virtio-blk-pci,drive=d{number},addr={number + 4:#x}"]
        if snapshot:
            arguments += ["-incoming", "defer"]
        with open(os.path.join(folder, "qemu.log"), "w") as log:
            self.process = subprocess.Popen(arguments, env=packages.environment, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        self.received = b""
        self.number = 0
        try:
            self.qmp = Monitor(self._connect("qmp"))
            self.agent = self._connect("agent")
            if snapshot:
                self._restore(snapshot)
        except Exception:
            self.stop()
            raise

    def _connect(self, name):
        path = os.path.join(self.folder, name)
        deadline = time.monotonic() + 30
        while True:
            if self.process.poll() is not None:
                with open(os.path.join(self.folder, "qemu.log")) as log:
                    raise Gone(f"QEMU ended: {log.read().strip()}")
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(path)
                return connection
            except OSError:
                if time.monotonic() > deadline:
                    raise Gone(f"QEMU does not listen at {path}") from None
                time.sleep(0.02)

    def wait_until_up(self, seconds):
        """Waits until the shell answers."""
        self._read_until(b"@agent ready\n", seconds, lambda line: None)

    def command(self, text, seconds, on_line=lambda line: None):
        """Runs a command in the machine, calls back with each line of its output, and returns
        its status."""
        self.number += 1
        number = str(self.number).encode()
        self.agent.sendall(number + b" " + text.encode() + b"\n")
        self._read_until(b"@begin " + number + b"\n", seconds, lambda line: None)
        end = self._read_until(b"@end " + number + b" ", seconds, on_line)
        return int(end.split()[2])

    def _read_until(self, wanted, seconds, on_line):
        """Reads lines until one starts with `wanted`."""
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" in self.received:
                line, self.received = self.received.split(b"\n", 1)
                if (line + b"\n").startswith(wanted):
                    return line
                on_line(line.decode(errors="replace"))
            left = deadline - time.monotonic()
            if left <= 0:
                raise Gone(f"not done after {seconds} s")
            if select.select([self.agent], [], [], left)[0]:
                piece = self.agent.recv(65536)
                if not piece:
                    raise Gone("the outer machine ended; its kernel may have panicked")
                self.received += piece

    def save(self, path):
        """Saves the machine to a file and ends it."""
        self.qmp.execute("stop")
        self._migration_capabilities()
        self.qmp.execute("migrate", uri=f"file:{path}.new")
        self._wait_for_migration()
        self.stop()
        os.rename(path + ".new", path)

    def _restore(self, path):
        self._migration_capabilities()
        self.qmp.execute("migrate-incoming", uri=f"file:{path}")
        self._wait_for_migration()
        self.qmp.execute("cont")

    def _migration_capabilities(self):
        self.qmp.execute("migrate-set-capabilities",
                         capabilities=[{"capability": name, "state": True}
                                       for name in ("mapped-ram", "multifd")])

    def _wait_for_migration(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status = self.qmp.execute("query-migrate").get("status")
            if status == "completed":
                return
            if status == "failed":
                break
            time.sleep(0.02)
        raise Gone("QEMU could not save or load the outer machine")

    def kernel_log(self, lines):
        """The last lines of what the kernel said."""
        try:
            with open(self.console, errors="replace") as file:
                return [line.rstrip() for line in file][-lines:]
        except OSError:
            return []

    def stop(self):
        self.process.kill()
        self.process.wait()


class Monitor:
    """QEMU's machine protocol: a line of JSON for each message."""

    def __init__(self, connection):
        connection.settimeout(60)
        self.stream = connection.makefile("rw")
        self.stream.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            line = self.stream.readline()
            if not line:
                raise Gone(f"QEMU ended during {command}")
            answer = json.loads(line)
            if "error" in answer:
                raise Gone(f"QEMU refused {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
