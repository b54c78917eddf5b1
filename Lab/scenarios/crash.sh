# A panic is told by pvpanic, a triple fault ends the guest; the VMM says so and lives on or ends.
APPEND=panic=0 start_guest a
guest_send a 'echo c >/proc/sysrq-trigger'
wait_for 60 "the panic among the events" grep -q '"panic"' "$RUN/a.events"
# A triple fault is how reboot=t reboots: the guest starts anew in the same process.
start_guest b
guest_send b reboot -f
wait_ready b 2
guest_check b 'echo alive'
