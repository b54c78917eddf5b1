# Linux uses everything its network driver knows: offloads, merged buffers, two queue pairs.
# deadline: 400
CPUS=2 start_guest v0 \
    --net tap=tap0,ip=192.0.2.1,host_mac=02:00:00:00:00:01,mac=02:00:00:00:00:02,num_queues=4,mtu=1500
expect "the address of the host's end" 02:00:00:00:00:01 "$(cat /sys/class/net/tap0/address)"
guest_check v0 'ip link set eth0 up && ip addr add 192.0.2.2/24 dev eth0'
guest_check v0 'ping -c 3 -W 5 192.0.2.1'
expect "queues of the guest" 4 "$(guest v0 'ls -d /sys/class/net/eth0/queues/* | wc -l')"
# The features that the driver has agreed to, by bit: checksums, mergeable buffers, control queue,
# several queues.
features=$(guest_check v0 'cat /sys/class/net/eth0/device/features')
for bit in 0 1 2 3 5 7 8 9 11 12 13 15 16 17 18 19 21 22 23; do
    expect "feature $bit of $features" 1 "$(echo "$features" | cut -c$((bit + 1)))"
done

# What goes over TCP comes back whole, in large packets.
lodger serve 7000 >"$RUN/serve" 2>&1 &
guest_check v0 'lodger stream 192.0.2.1 7000 >/tmp/stream 2>&1 & sleep 5; killall lodger; sleep 0.5;
    cat /tmp/stream; grep -q "wrong=0" /tmp/stream'

# The driver changes its address, and hears about everybody's packets.
guest_check v0 'ip link set eth0 promisc on && ip link set eth0 down &&
    ip link set eth0 address 02:00:00:00:00:03 && ip link set eth0 up'
guest_check v0 'ping -c 3 -W 5 192.0.2.1'

# A move announces the new address, by frames of the VMM and of the guest.
lodger frames tap0 >"$RUN/frames" 2>&1 &
migrate_local v0 v1
guest_check v1 'ping -c 3 -W 5 192.0.2.1'
wait_for 10 "five announcements" has_lines "$RUN/frames" 02:00:00:00:00:03 5
no_worries v1
