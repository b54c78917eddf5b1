# No kernel, a wrong kernel, no root disk: each is said by name.
refused() {
    if martlet run "$@" >"$RUN/refused.log" 2>&1 </dev/null; then
        fail "accepted: $*"
    fi
}
refused --kernel "$RUN/none"
grep -q "$RUN/none" "$RUN/refused.log" || fail "a missing kernel is not named"
refused --kernel /art/guest.cpio
grep -q "guest.cpio" "$RUN/refused.log" || fail "a wrong kernel is not named"
refused --kernel "$KERNEL" --disk "path=$RUN/none.img"
grep -q "none.img" "$RUN/refused.log" || fail "a missing disk image is not named"
# Without a root disk Linux panics, and the VMM says so.
start_vmm a --kernel "$KERNEL" --cmdline "$CMDLINE root=/dev/vda" --serial tty
wait_line a "Kernel panic - not syncing: VFS: Unable to mount root fs"
wait_for 60 "the panic among the events" grep -q '"panic"' "$RUN/a.events"
