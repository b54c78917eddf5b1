# A root disk and a data disk: what is written is there after a reboot; discard and zeroing work.
image root root
image data ext4
APPEND=root=/dev/vda start_guest a --disk "path=$RUN/root" --disk "path=$RUN/data"
expect "the root's device" /dev/vda "$(guest a "awk '\$2 == \"/\" { print \$1 }' /proc/mounts | tail -n 1")"
guest_check a 'mount /dev/vdb /mnt && lodger pattern /mnt/file 16 7 && lodger pattern /file 8 9'
sums=$(guest_check a 'cat /mnt/file /file | md5sum; umount /mnt; sync')
guest_send a reboot -f
wait_ready a 2
guest_check a 'mount /dev/vdb /mnt'
expect "checksum after the reboot" "$sums" "$(guest a 'cat /mnt/file /file | md5sum')"
no_worries a
guest_check a 'umount /mnt'
used=$(du -k "$RUN/data" | cut -f 1)
guest_check a 'lodger discard /dev/vdb 64'
after=$(du -k "$RUN/data" | cut -f 1)
[ "$used" -gt 16000 ] && [ "$after" -lt 1000 ] ||
    fail "discard of the whole disk: it took $used KiB before and $after KiB after"
guest_check a 'lodger pattern /dev/vdb 4 3; lodger zero /dev/vdb 2'
expect "bytes other than zero after zeroing" 0 \
    "$(guest a 'sync; echo 3 >/proc/sys/vm/drop_caches; head -c 2097152 /dev/vdb | tr -d "\000" | wc -c')"
guest_send a poweroff -f
check "the VMM ended with an error" wait_end a
