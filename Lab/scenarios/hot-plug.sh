# Disks and network devices come and go while the guest runs, also after a migration.
bridge
tap tap0
image disk0 ext4
image disk1 ext4
start_guest a --disk "path=$RUN/disk0"
ctl a add-disk "path=$RUN/disk1,id=extra"
guest_until a "the added disk" '[ -e /sys/block/vdb ]'
guest_check a 'mount /dev/vdb /mnt && lodger pattern /mnt/file 4 1 && sync'
ctl a add-net tap=tap0,mac=02:00:00:00:00:0c,id=lan
guest_until a "the added interface" '[ -e /sys/class/net/eth0 ]'
guest_network a 10.0.0.10
guest_check a 'ping -c 2 -W 5 10.0.0.1'

migrate_local a b
guest_check b 'ping -c 2 -W 5 10.0.0.1'
sum=$(guest_check b 'md5sum /mnt/file; umount /mnt')
ctl b remove-device extra
guest_until b "the removal of the disk" '[ ! -e /sys/block/vdb ]'
wait_for 20 "the disk to leave the configuration" lacks_device b extra
ctl b remove-device lan
guest_until b "the removal of the interface" '[ ! -e /sys/class/net/eth0 ]'
wait_for 20 "the interface to leave the configuration" lacks_device b lan
# The image is free again, and what was written is in it.
ctl b add-disk "path=$RUN/disk1,id=again"
guest_until b "the disk that was added again" '[ -e /sys/block/vdb ]'
expect "the file" "$sum" "$(guest b 'mount /dev/vdb /mnt && md5sum /mnt/file')"
no_worries b
