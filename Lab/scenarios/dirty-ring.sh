# A guest at work whose kernel notes written pages in rings, one for each vCPU, is held in pre-copy,
# and moves over TCP twice.
# deadline: 480
bridge
tap tap0
image disk ext4
lodger serve 7000 >"$RUN/serve.log" &
CPUS=2 MEMORY_OPTIONS=,dirty_tracking=ring start_guest a \
    --disk "path=$RUN/disk" --net tap=tap0,mac=02:00:00:00:00:0a
guest_network a 10.0.0.10
start_work a /dev/vda 10.0.0.1

# Rounds go on while it is held, and its rings are emptied many times.
await_guest b tcp:127.0.0.1:4300
ctl a send-migration \
    destination_url=tcp:127.0.0.1:4300,hold_before_switchover=on,downtime_ms=10000 \
    >"$RUN/b.send.log" 2>&1 &
sending=$!
is_held() {
    ctl a migration-progress --json | grep -q '"holding" *: *true'
}
wait_for 120 "the held move" is_held
sleep 3
check_work a
ctl a continue-migration
wait_for 120 "the end of the move" has_ended "$sending"
check "the move with rings did not work: $(tail -n 2 "$RUN/b.send.log")" wait "$sending"
check_work b

# Rings are the guest's and come with it.
ctl b info --json | grep -q '"dirty_tracking" *: *"Ring"' || fail "the guest has lost its rings"
migrate_tcp b c
check_work c
end_work c
no_worries c
