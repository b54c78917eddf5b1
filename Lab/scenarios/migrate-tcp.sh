# A guest at work moves over TCP, five times: memory, file, transfer, timers.
# deadline: 480
five_moves migrate_tcp
