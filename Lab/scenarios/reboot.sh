# Reboot and shutdown from inside, alone and during a migration.
start_guest a
guest_send a reboot -f
wait_ready a 2
# Rebooted while it is on its way: it boots again at whichever end has it.
start_vmm b
receive b "unix:$RUN/b.migration"
guest_send a 'sleep 0.3; reboot -f'
ctl a send-migration "destination_url=unix:$RUN/b.migration" >"$RUN/b.send.log" 2>&1 ||
    fail "the migration did not work: $(tail -n 2 "$RUN/b.send.log")"
check "the source ended with an error" wait_end a
wait_ready b
guest_check b 'echo alive'
# Shut down while it is on its way: it ends, at whichever end has it; both VMMs end well.
start_vmm c
receive c "unix:$RUN/c.migration"
guest_send b 'sleep 0.3; poweroff -f'
ctl b send-migration "destination_url=unix:$RUN/c.migration" >"$RUN/c.send.log" 2>&1 || true
check "the source ended with an error" wait_end b
if grep -q "completed\|finished" "$RUN/c.send.log"; then
    check "the destination ended with an error" wait_end c
fi
