# A guest at work moves over TLS with four connections, five times.
# deadline: 480
five_moves migrate_tls
