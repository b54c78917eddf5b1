# A guest with RAM below and above 4 GiB uses all of it.
MEMORY=5G start_guest a
expect "RAM of more than 4.8 GiB" yes \
    "$(guest a "awk '/MemTotal/ { print (\$2 > 4800000) ? \"yes\" : \$2 }' /proc/meminfo")"
# Above 4 GiB is what the kernel gives out first; the lower part is used by DMA32 and the kernel.
guest_check a 'grep -q "^100000000-" /proc/iomem'
guest_check a 'lodger stamps 64 >/tmp/stamps & sleep 3; killall lodger; wait; grep wrong=0 /tmp/stamps'
no_worries a
