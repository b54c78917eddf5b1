# Linux boots as the bzImage that Debian ships, with 2 vCPUs.
CPUS=2 boot_guest a --kernel "$BZIMAGE"
wait_ready a
expect "vCPUs" 2 "$(guest a nproc)"
no_worries a
guest_send a poweroff -f
check "the VMM ended with an error" wait_end a
