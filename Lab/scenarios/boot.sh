# Linux boots to a shell.
start_guest a
expect "vCPUs of the guest" 1 "$(guest a nproc)"
expect "clock source" kvm-clock \
    "$(guest a cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
guest_check a 'echo hello from $(uname -r)'
