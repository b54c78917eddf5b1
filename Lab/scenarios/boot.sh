# Linux boots as PVH ELF with 1, 2 and 4 vCPUs, says nothing worrying, and shuts down.
for cpus in 1 2 4; do
    CPUS=$cpus start_guest vmm$cpus
    expect "vCPUs" $cpus "$(guest vmm$cpus nproc)"
    expect "clock source" kvm-clock \
        "$(guest_value vmm$cpus /sys/devices/system/clocksource/clocksource0/current_clocksource)"
    no_worries vmm$cpus
    guest_send vmm$cpus poweroff -f
    check "the VMM ended with an error" wait_end vmm$cpus
done
