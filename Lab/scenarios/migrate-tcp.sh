# A guest at work moves over TCP, five times: memory, file, transfer, timers.
# deadline: 480
bridge
tap tap0
image disk ext4
lodger serve 7000 >"$RUN/serve.log" &
CPUS=2 start_guest v0 --disk "path=$RUN/disk" --net tap=tap0,mac=02:00:00:00:00:0a
guest_network v0 10.0.0.10
start_work v0 /dev/vda 10.0.0.1
for hop in 1 2 3 4 5; do
    migrate_tcp v$((hop - 1)) v$hop
    check_work v$hop
done
end_work v5
no_worries v5
