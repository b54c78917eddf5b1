# A guest at work stays where it is when its move fails, whatever the phase, and moves afterwards.
# deadline: 480
bridge
tap tap0
image disk ext4
lodger serve 7000 >"$RUN/serve.log" &
start_guest a --disk "path=$RUN/disk" --net tap=tap0,mac=02:00:00:00:00:0a
guest_network a 10.0.0.10
start_work a /dev/vda 10.0.0.1

# move NAME [KEY=VALUE...]: begins to move the guest to a new VMM of this name.
move() {
    local to="$1"
    shift
    start_vmm "$to"
    PORT=$((${PORT:-4200} + 1))
    receive "$to" "tcp:127.0.0.1:$PORT"
    ctl a send-migration "$(joined "destination_url=tcp:127.0.0.1:$PORT" "$@")" \
        >"$RUN/$to.send.log" 2>&1 &
    sending=$!
}

# stays NAME PHASE: fails unless the move has failed and the guest still works.
stays() {
    wait_for 60 "the failure of the move in phase $2" has_ended "$sending"
    if wait "$sending"; then fail "the move in phase $2 did not fail"; fi
    grep -i "cancelled:\|failed:" "$RUN/$1.send.log" || fail "the failure in phase $2 has no reason"
    check_work a
    kill -9 "$(cat "$RUN/$1.pid")" 2>/dev/null || true
}

is_held() {
    ctl a migration-progress --json | grep -q '"holding" *: *true'
}

signal() {
    kill "-$1" "$(cat "$RUN/$2.pid")"
}

# Before the destination has built a machine: it stops, and then is gone.
start_vmm early
receive early tcp:127.0.0.1:4200
signal STOP early
ctl a send-migration destination_url=tcp:127.0.0.1:4200 >"$RUN/early.send.log" 2>&1 &
sending=$!
wait_for 30 "the connection" in_phase a connecting
signal KILL early
stays early connecting

# While memory is on its way.
move memory bandwidth=1M
wait_for 30 "memory on its way" in_phase a memory
signal KILL memory
stays memory memory

# A move that is cancelled.
move cancel bandwidth=1M
wait_for 30 "memory on its way" in_phase a memory
ctl a cancel-migration
stays cancel cancelled

# The destination dies while the guest stands still; every answer takes two seconds then, which is
# why the blackout may be long.
stand_still() {
    wait_for 60 "the held move" is_held a
    /art/bin/tc qdisc add dev lo root netem delay 1000ms
    ctl a continue-migration
    wait_for 30 "the blackout" in_phase a blackout
}
move blackout hold_before_switchover=on downtime_ms=600000
stand_still
signal KILL blackout
stays blackout blackout
/art/bin/tc qdisc del dev lo root

# It does not die, but nothing passes between the ends any more: the source takes its guest back,
# and the destination does not run it.
move silent hold_before_switchover=on downtime_ms=600000
stand_still
/art/bin/tc qdisc change dev lo root netem loss 100%
wait_for 120 "the end at the destination" grep -q "stays with its source" "$RUN/silent.log"
stays silent silence
/art/bin/tc qdisc del dev lo root

# And then it moves.
migrate_tcp a b
check_work b
end_work b
no_worries b
