# The guest's clock is right after a migration, and after a pause of a minute.
start_guest a
# Linux loses ticks while it starts on a slow machine, and nothing tells it the time again: what
# counts is that nothing more is lost.
offset=$(clock_offset a)
[ "$offset" -gt -30000 ] && [ "$offset" -lt 1000 ] || fail "the clock is wrong at first: $offset ms"
migrate_tcp a b
clock_kept b "$offset" "after a migration"
ctl b pause
sleep 60
ctl b resume
clock_kept b "$offset" "after a pause of a minute"
migrate_local b c
clock_kept c "$offset" "after a local migration"
