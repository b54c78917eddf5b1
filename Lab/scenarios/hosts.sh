# Two hosts on a bridge: the guest moves, its address follows, and it announces itself.
bridge
mkdir -p /var/run/netns
for host in 1 2; do
    ip netns add host$host
    ip link add up$host type veth peer name uplink netns host$host
    ip link set up$host master br0 up
    in_host host$host ip link add br0 type bridge
    in_host host$host ip link set lo up
    in_host host$host ip link set uplink master br0 up
    in_host host$host ip tuntap add tap0 mode tap
    in_host host$host ip link set tap0 master br0 up
    in_host host$host ip address add 10.0.0.10$host/24 dev br0
    in_host host$host ip link set br0 up
done
HOST=host1 start_guest a --net tap=tap0,mac=02:00:00:00:00:0a --allow-plain-tcp
guest_network a 10.0.0.10
ping -c 2 -W 5 10.0.0.10 >"$RUN/first-ping.log" || fail "the guest does not answer ping"
lodger frames br0 >"$RUN/frames.log" 2>&1 &
lodger ping 10.0.0.10 >"$RUN/ping.log" 2>&1 &
sleep 1
HOST=host2 VMM_OPTIONS=--allow-plain-tcp ADDRESS=10.0.0.102 migrate_tcp a b
sleep 1
ping -c 2 -W 5 10.0.0.10 >"$RUN/last-ping.log" || fail "the guest does not answer at its new host"
killall lodger
sleep 0.2
cat "$RUN/ping.log" "$RUN/frames.log"
grep -q "rarp from=02:00:00:00:00:0a" "$RUN/frames.log" || fail "no RARP frame on the bridge"
grep -q "announcement from=02:00:00:00:00:0a" "$RUN/frames.log" ||
    fail "the guest did not announce itself by ARP"
