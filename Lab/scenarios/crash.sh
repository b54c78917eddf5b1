# A panic is told by pvpanic; a triple fault ends the guest and the VMM, which says so.
APPEND=panic=0 start_guest a
guest_send a 'echo c >/proc/sysrq-trigger'
wait_for 60 "the panic among the events" grep -q '"panic"' "$RUN/a.events"
# Asked to, Linux reboots by a triple fault.
APPEND=reboot=t start_guest b
guest_send b reboot -f
if wait_end b; then fail "the VMM of a guest that crashed ended with status 0"; fi
grep -q "The guest has crashed" "$RUN/b.log" || fail "the log does not tell of the crash"
