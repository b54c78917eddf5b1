# An NMI reaches every vCPU.
CPUS=2 start_guest a
before=$(guest a "awk '/NMI:/ { print \$2 + \$3 }' /proc/interrupts")
ctl a nmi
guest_until a "an NMI on both vCPUs" \
    "[ \$(awk '/NMI:/ { print \$2 + \$3 }' /proc/interrupts) -ge $((before + 2)) ]"
guest_check a 'dmesg | grep NMI | tail -n 3'
