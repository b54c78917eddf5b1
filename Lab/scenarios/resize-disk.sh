# A disk grows while the guest runs, and the guest sees it.
image disk
start_guest a --disk "path=$RUN/disk,id=data"
expect "size" 131072 "$(guest_value a /sys/block/vda/size)"
ctl a resize-disk id=data,size=128M
guest_until a "the new size" '[ $(cat /sys/block/vda/size) = 262144 ]'
guest_check a 'lodger pattern /dev/vda 128 5'
no_worries a
