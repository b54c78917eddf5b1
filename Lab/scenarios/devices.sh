# Every device is there for Linux and works.
bridge
tap tap0
image disk ext4
start_guest a --disk "path=$RUN/disk,serial=LAB-1" --net tap=tap0,mac=02:00:00:00:00:0a \
    --rng src=/dev/urandom --console "file=$RUN/console.out"
expect "size of the disk" 131072 "$(guest_value a /sys/block/vda/size)"
expect "serial number of the disk" LAB-1 "$(guest_value a /sys/block/vda/serial)"
expect "MAC address" 02:00:00:00:00:0a "$(guest_value a /sys/class/net/eth0/address)"
expect "random number generator" virtio_rng.0 \
    "$(guest_value a /sys/class/misc/hw_random/rng_current)"
expect "random bytes" 16 "$(guest a 'head -c 16 /dev/hwrng | wc -c')"
guest_check a 'echo over the virtio console >/dev/hvc0'
wait_for 20 "the line on the virtio console" grep -q "over the virtio console" "$RUN/console.out"
guest_check a '[ -e /dev/ttyS0 ] && [ -e /sys/class/tty/ttyS0 ]'
for table in APIC FACP DSDT MCFG; do
    guest_check a "[ -s /sys/firmware/acpi/tables/$table ]"
done
guest_check a 'ls /sys/bus/acpi/devices | grep -q ACPI0013' # the event device
guest_check a 'ls /sys/bus/acpi/devices | grep -q QEMU0001' # pvpanic
guest_check a 'grep -q "Power Button" /proc/bus/input/devices'
guest_check a 'ls -d /sys/bus/pci/slots/* >/dev/null'
guest_check a 'grep -q kvm-clock /sys/devices/system/clocksource/*/available_clocksource'
guest_check a 'dmesg | grep -q "ECAM"'
no_worries a
