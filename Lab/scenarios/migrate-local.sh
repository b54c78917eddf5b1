# A guest at work is handed over from VMM to VMM on one host, five times.
# deadline: 400
start_guest v0
guest_check v0 'lodger stamps 32 >/tmp/stamps 2>&1 & lodger timer >/tmp/timer 2>&1 &'
for hop in 1 2 3 4 5; do
    migrate_local v$((hop - 1)) v$hop
    guest_check v$hop 'kill -0 $(pidof lodger)'
done
guest_check v5 'killall lodger; sleep 0.5; cat /tmp/stamps /tmp/timer'
guest_check v5 'grep -q "wrong=0" /tmp/stamps && grep -q max_gap_us /tmp/timer'
