# A guest at work moves over TLS with four connections, five times. A destination that wants TLS
# gets no guest without it.
# deadline: 480
without_tls() {
    local url="tcp:127.0.0.1:4999"
    start_vmm strict
    RECEIVE_OPTIONS=tls_dir=/art/tls receive strict "$url"
    if ctl "$1" send-migration "destination_url=$url" >"$RUN/strict.send.log" 2>&1; then
        fail "a destination that wants TLS took a guest without"
    fi
    check_work "$1"
    grep -i tls "$RUN/strict.send.log" "$RUN/$1.log" "$RUN/strict.log" ||
        fail "nobody says that TLS is missing"
    kill -9 "$(cat "$RUN/strict.pid")"
}
tls_move() {
    [ "$1" != v1 ] || without_tls v1
    migrate_tls "$@"
}
five_moves tls_move
