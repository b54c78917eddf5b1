# The power button is pressed, and Linux hears of it and shuts down, also after a migration.
start_guest a
migrate_local a b
# What a distribution's daemon does: waits for the key's event and shuts down.
guest_check b 'head -c 24 /dev/input/event0 >/dev/null && poweroff -f &'
ctl b power-button
check "the VMM ended with an error" wait_end b
