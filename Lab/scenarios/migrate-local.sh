# A guest at work moves from VMM to VMM on one host, five times: memory, file, transfer, timers.
# deadline: 480
five_moves migrate_local
