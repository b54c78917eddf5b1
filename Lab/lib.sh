# What scenarios are made of (busybox sh, as root, in the outer machine). Every file of a scenario
# is in $RUN. A VMM has a name; NAME.sock is its API, NAME.in and NAME.out the serial port of its
# guest, NAME.log what it logged.

KERNEL=/art/vmlinux
BZIMAGE=/art/vmlinuz
INITRAMFS=/art/guest.cpio
# What Linux logs as an error or a warning is part of what is tested.
CMDLINE="console=ttyS0 reboot=t panic=-1 loglevel=4 initcall_blacklist=cmos_init,i8042_init"

# fail REASON: ends the scenario.
fail() {
    echo "$*" >"$RUN/reason"
    exit 1
}

# check WHAT COMMAND...: fails unless the command succeeds.
check() {
    local what="$1"
    shift
    "$@" || fail "$what ($*)"
}

# expect WHAT EXPECTED ACTUAL: fails unless both are the same.
expect() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
    local deadline=$(($(uptime_ms) + $1 * 1000)) what="$2"
    shift 2
    until "$@" 2>/dev/null; do
        [ "$(uptime_ms)" -lt "$deadline" ] || fail "did not come: $what"
        sleep 0.05
    done
}

# uptime_ms: milliseconds since the outer machine started.
uptime_ms() {
    local seconds rest
    read -r seconds rest </proc/uptime
    # 12.34 -> 12340; a leading zero would mean an octal number.
    rest=${seconds#*.}
    echo $((${seconds%.*} * 1000 + (1$rest - 100) * 10))
}

# start_vmm NAME OPTION...: starts `martlet run` with these options, and waits for its API.
# With HOST=NAMESPACE it runs in that network namespace.
start_vmm() {
    local name="$1"
    shift
    mkfifo "$RUN/$name.in"
    : >"$RUN/$name.out"
    ${HOST:+ip netns exec "$HOST"} martlet run --api-socket "$RUN/$name.sock" \
        --event-monitor "path=$RUN/$name.events" -v "$@" \
        <>"$RUN/$name.in" >>"$RUN/$name.out" 2>>"$RUN/$name.log" &
    echo $! >"$RUN/$name.pid"
    wait_for 20 "the API of $name" test -S "$RUN/$name.sock"
}

# start_guest NAME OPTION...: boots Linux and waits for its shell. MEMORY (256M) and CPUS (1) say
# how large, APPEND what to add to its command line.
start_guest() {
    local name="$1"
    shift
    boot_guest "$name" --kernel "$KERNEL" "$@"
    wait_ready "$name"
}

# boot_guest NAME OPTION...: the same with a kernel that is named, and without waiting.
boot_guest() {
    local name="$1"
    shift
    start_vmm "$name" --initramfs "$INITRAMFS" --cmdline "$CMDLINE${APPEND:+ $APPEND}" \
        --cpus "boot=${CPUS:-1}" --memory "size=${MEMORY:-256M}${MEMORY_OPTIONS:-}" \
        --serial tty "$@"
}

# wait_line NAME PATTERN [SECONDS] [COUNT]: until the guest has written COUNT lines like this.
wait_line() {
    wait_for "${3:-120}" "'$2' from the guest of $1" has_lines "$RUN/$1.out" "$2" "${4:-1}"
}

has_lines() {
    [ "$(grep -c "$2" "$1")" -ge "$3" ]
}

# wait_ready NAME [COUNT]: until the shell of the guest is there (for the COUNTth time).
wait_ready() {
    wait_line "$1" "^@agent ready" 120 "${2:-1}"
}

# guest NAME COMMAND: runs a command in the guest, prints its output, and has its status.
# LIMIT seconds (60).
guest() {
    local name="$1" id
    shift
    read -r id </proc/sys/kernel/random/uuid
    echo "$id $*" >"$RUN/$name.in"
    wait_for "${LIMIT:-60}" "an answer from the guest of $name to: $*" \
        grep -q "^@end $id " "$RUN/$name.out"
    tr -d '\r' <"$RUN/$name.out" | sed -n "/^@begin $id/,/^@end $id /{/^@/!p}"
    return "$(sed -n "s/^@end $id \([0-9]*\).*/\1/p" "$RUN/$name.out")"
}

# guest_check NAME COMMAND: fails unless the command succeeds in the guest.
guest_check() {
    local name="$1" output
    shift
    output=$(guest "$name" "$@") || fail "in the guest of $name: $* ($(echo "$output" | tail -n 3))"
    [ -z "$output" ] || echo "$output"
}

# ctl NAME CALL...: calls the VMM's API.
ctl() {
    local name="$1"
    shift
    martlet ctl --api-socket "$RUN/$name.sock" "$@"
}

# wait_end NAME [SECONDS]: until the VMM has ended; its exit status.
wait_end() {
    local pid
    pid=$(cat "$RUN/$1.pid")
    wait_for "${2:-120}" "the end of $1" has_ended "$pid"
    wait "$pid"
}

has_ended() {
    ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# migrate_tcp FROM TO [KEY=VALUE...]: moves a guest to a new VMM over TCP; further words are for
# `send-migration`. The source ends.
migrate_tcp() {
    local from="$1" to="$2"
    shift 2
    PORT=$((${PORT:-4000} + 1))
    migrate "$from" "$to" "tcp:${ADDRESS:-127.0.0.1}:$PORT" "$@"
}

# migrate_local FROM TO: hands a guest over to a new VMM on the same host.
migrate_local() {
    local from="$1" to="$2"
    shift 2
    migrate "$from" "$to" "unix:$RUN/$to.migration" local=on "$@"
}

migrate() {
    local from="$1" to="$2" url="$3"
    shift 3
    start_vmm "$to"
    receive "$to" "$url"
    ctl "$from" send-migration "$(joined "destination_url=$url" "$@")" >"$RUN/$to.send.log" 2>&1 ||
        fail "the migration from $from to $to did not work: $(tail -n 2 "$RUN/$to.send.log")"
    check "the source $from ended with an error" wait_end "$from"
}

# joined WORD...: the words with commas between them, as options want them.
joined() {
    local IFS=,
    echo "$*"
}

# receive NAME URL: makes a VMM wait for a guest, in the background.
receive() {
    ctl "$1" receive-migration "receiver_url=$2" >"$RUN/$1.receive.log" 2>&1 &
    wait_for 20 "$1 to listen at $2" is_listening "$1"
}

is_listening() {
    ctl "$1" migration-progress --json | grep -q listening
}
