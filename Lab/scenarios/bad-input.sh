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
# Without a root disk Linux panics and starts anew; so does the VMM, and it lives.
start_vmm a --kernel "$KERNEL" --cmdline "$CMDLINE root=/dev/vda" --serial tty
wait_line a "VFS: Unable to mount root fs" 120 2
check "the VMM does not answer" ctl a ping
