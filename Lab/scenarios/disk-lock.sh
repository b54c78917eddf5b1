# A disk image has one user: another VMM is refused by name, also after a migration that failed.
image disk ext4
start_guest a --disk "path=$RUN/disk"
refused() {
    if martlet run --api-socket "$RUN/x.sock" --kernel "$KERNEL" --disk "path=$RUN/disk" \
        >"$RUN/refused.log" 2>&1 </dev/null; then
        fail "a second VMM took the disk $1"
    fi
    grep -q "$RUN/disk" "$RUN/refused.log" || fail "the refusal $1 does not name the image"
}
refused "of a running guest"
guest_check a 'mount /dev/vda /mnt && lodger pattern /mnt/file 2 1'
# A destination that dies while the memory is on its way.
start_vmm d
receive d tcp:127.0.0.1:4100
ctl a send-migration destination_url=tcp:127.0.0.1:4100 >"$RUN/failed.log" 2>&1 &
wait_for 30 "memory on its way" in_phase a memory
kill -9 "$(cat "$RUN/d.pid")"
wait_for 60 "the end of the migration" in_phase a failed
refused "after a migration that failed"
guest_check a 'cat /mnt/file >/dev/null && sync'
migrate_tcp a b
refused "of a guest that has come"
guest_check b 'lodger pattern /mnt/file2 2 1 && sync'
