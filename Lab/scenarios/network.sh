# Two guests and the host reach each other: ping, TCP with checksums, two queue pairs, MTU.
bridge
tap tap0 multi_queue
tap tap1
ip link set br0 mtu 1400
ip link set tap0 mtu 1400
ip link set tap1 mtu 1400
CPUS=2 start_guest a --net tap=tap0,mac=02:00:00:00:00:0a,num_queues=4,mtu=1400
start_guest b --net tap=tap1,mac=02:00:00:00:00:0b,mtu=1400
guest_network a 10.0.0.10
guest_network b 10.0.0.11
expect "MTU" 1400 "$(guest_value a /sys/class/net/eth0/mtu)"
expect "queue pairs of a" 2 "$(guest a 'ls -d /sys/class/net/eth0/queues/tx-* | wc -l')"
expect "queue pairs of b" 1 "$(guest b 'ls -d /sys/class/net/eth0/queues/tx-* | wc -l')"
guest_check a 'ping -c 3 -W 5 10.0.0.1 && ping -c 3 -W 5 10.0.0.11'
guest_check b 'ping -c 3 -W 5 -s 1372 10.0.0.10'
lodger serve 7000 >"$RUN/serve.log" &
guest_check b 'lodger serve 7000 >/tmp/serve 2>&1 &'
guest_check a 'lodger stream 10.0.0.1 7000 >/tmp/s1 2>&1 &'
guest_check a 'lodger stream 10.0.0.11 7000 >/tmp/s2 2>&1 &'
sleep 3
guest_check a 'killall lodger; sleep 1; grep wrong=0 /tmp/s1 && grep wrong=0 /tmp/s2'
no_worries a
no_worries b
