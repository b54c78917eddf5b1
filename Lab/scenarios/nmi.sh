# An NMI reaches every vCPU, and Linux tells of it.
CPUS=2 start_guest a
guest_check a 'echo 0 >/proc/sys/kernel/unknown_nmi_panic'
before=$(guest a "awk '/NMI:/ { print \$2 + \$3 }' /proc/interrupts")
ctl a nmi
guest_until a "an NMI on both vCPUs" \
    "[ \$(awk '/NMI:/ { print \$2 + \$3 }' /proc/interrupts) -ge $((before + 2)) ]"
# Linux may panic on an NMI if its owner wishes so; the VMM says that the guest has panicked.
guest_check a 'echo 1 >/proc/sys/kernel/unknown_nmi_panic; echo 10 >/proc/sys/kernel/panic'
ctl a nmi
wait_line a "Kernel panic"
