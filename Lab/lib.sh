# What scenarios are made of (busybox sh, as root, in the outer machine). Every file of a scenario
# is in $RUN. A VMM has a name; NAME.sock is its API, NAME.in and NAME.out the serial port of its
# guest, NAME.log what it logged.

KERNEL=/art/vmlinux
BZIMAGE=/art/vmlinuz
INITRAMFS=/art/guest.cpio
# What Linux logs as an error or a warning is part of what is tested.
CMDLINE="console=ttyS0 panic=-1 loglevel=4"

# busybox's shell prefers its own applet, which knows less.
ip() {
    /art/bin/ip "$@"
}

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
    ${HOST:+/art/bin/ip netns exec "$HOST"} martlet run --api-socket "$RUN/$name.sock" \
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
    echo "$id $*" | one_line >"$RUN/$name.in"
    wait_for "${LIMIT:-60}" "an answer from the guest of $name to: $*" \
        grep -q "^@end $id " "$RUN/$name.out"
    tr -d '\r' <"$RUN/$name.out" | sed -n "/^@begin $id/,/^@end $id /{/^@/!p}" | sed '${/^$/d}'
    return "$(sed -n "s/^@end $id \([0-9]*\).*/\1/p" "$RUN/$name.out")"
}

# One line of what may be several: the guest's shell reads a line at a time.
one_line() {
    tr '\n' ' '
    echo
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
# `send-migration`. The source ends. The destination is at ADDRESS
# (127.0.0.1) and started with VMM_OPTIONS.
migrate_tcp() {
    local from="$1" to="$2"
    shift 2
    PORT=$((${PORT:-4000} + 1))
    migrate "$from" "$to" "tcp:${ADDRESS:-127.0.0.1}:$PORT" "$@"
}

# migrate_tls FROM TO: the same over four connections, each protected.
migrate_tls() {
    # The machine's clock may be older than the certificates.
    date -s "@$(stat -c %Y /art/tls/client-cert.pem)" >/dev/null
    RECEIVE_OPTIONS=tls_dir=/art/tls migrate_tcp "$@" tls_dir=/art/tls connections=4
}

# migrate_local FROM TO: hands a guest over to a new VMM on the same host.
migrate_local() {
    local from="$1" to="$2"
    shift 2
    migrate "$from" "$to" "unix:$RUN/$to.migration" local=on "$@"
}

migrate() {
    await_guest "$2" "$3"
    send_guest "$@"
}

# await_guest NAME URL: starts a VMM that waits for a guest.
await_guest() {
    start_vmm "$1" ${VMM_OPTIONS:-}
    receive "$1" "$2"
}

# send_guest FROM TO URL [KEY=VALUE...]: moves a guest to a VMM that waits for it. The source ends.
send_guest() {
    local from="$1" to="$2" url="$3"
    shift 3
    ctl "$from" send-migration "$(joined "destination_url=$url" "$@")" >"$RUN/$to.send.log" 2>&1 ||
        fail "the migration from $from to $to did not work: $(tail -n 2 "$RUN/$to.send.log")"
    check "the source $from ended with an error" wait_end "$from"
}

# joined WORD...: the words with commas between them, as options want them.
joined() {
    local IFS=,
    echo "$*"
}

# receive NAME URL: makes a VMM wait for a guest, in the background. RECEIVE_OPTIONS are more of what
# it is told.
receive() {
    ctl "$1" receive-migration "receiver_url=$2${RECEIVE_OPTIONS:+,$RECEIVE_OPTIONS}" >"$RUN/$1.receive.log" 2>&1 &
    wait_for 20 "$1 to listen at $2" is_listening "$1"
}

is_listening() {
    in_phase "$1" listening
}

# in_phase NAME PHASE: whether the VMM's migration is in this phase.
in_phase() {
    ctl "$1" migration-progress --json | grep -q "\"phase\" *: *\"$2\""
}

# guest_send NAME COMMAND: starts a command in the guest and does not wait for an answer.
guest_send() {
    local name="$1"
    shift
    echo "none $*" >"$RUN/$name.in"
}

# guest_value NAME FILE: the first line of a file in the guest.
guest_value() {
    guest "$1" head -n 1 "$2"
}

# image NAME [ext4|root]: a new disk image $RUN/NAME: 64 MiB of nothing, an empty file system, or
# the guest's root.
image() {
    case "${2:-}" in
    ext4) cp /art/data.img "$RUN/$1" ;;
    root) cp /art/root.img "$RUN/$1" ;;
    *) truncate -s 64M "$RUN/$1" ;;
    esac
}

# bridge: a bridge br0 with the host's address 10.0.0.1.
bridge() {
    ip link add br0 type bridge
    ip address add 10.0.0.1/24 dev br0
    ip link set br0 up
}

# tap NAME [multi_queue]: a tap on the bridge.
tap() {
    ip tuntap add "$1" mode tap ${2:-}
    ip link set "$1" master br0 up
}

# guest_network NAME ADDRESS [INTERFACE]: gives the guest an address.
guest_network() {
    guest_check "$1" "ip address add $2/24 dev ${3:-eth0} && ip link set ${3:-eth0} up"
}

# start_work NAME [DISK [ADDRESS]]: starts all loads in the guest: stamps in memory, a timer, a
# file on the disk's file system, a TCP transfer with the server at the address.
start_work() {
    guest_check "$1" 'mkdir -p /tmp/work; lodger stamps 16 >/tmp/work/stamps 2>&1 &'
    guest_check "$1" 'lodger timer >/tmp/work/timer 2>&1 &'
    if [ -n "${2:-}" ]; then
        guest_check "$1" "mount $2 /mnt"
        guest_check "$1" 'lodger file /mnt/work >/tmp/work/file 2>&1 &'
    fi
    if [ -n "${3:-}" ]; then
        guest_check "$1" "lodger stream $3 7000 >/tmp/work/stream 2>&1 &"
    fi
}

# check_work NAME: fails unless all loads of the guest are still at work.
check_work() {
    guest_check "$1" \
        '[ $(pidof lodger | wc -w) = $(ls /tmp/work | wc -l) ] || { tail /tmp/work/*; false; }'
}

# end_work NAME: ends the loads; fails unless each found everything as it should be. Prints their
# figures.
end_work() {
    guest_check "$1" 'killall lodger; while pidof lodger >/dev/null; do sleep 0.1; done'
    guest_check "$1" 'tail -qn 1 /tmp/work/*'
    guest_check "$1" 'for load in $(ls /tmp/work); do
        [ $load = timer ] || grep -q wrong=0 /tmp/work/$load || exit 1; done'
}

# guest_until NAME WHAT COMMAND: until the command succeeds in the guest.
guest_until() {
    local name="$1" what="$2"
    shift 2
    wait_for 60 "$what in the guest of $name" guest_says "$name" "$@"
}

guest_says() {
    guest "$@" >/dev/null
}

# lacks_device NAME ID: whether the configuration has no device of this name.
lacks_device() {
    ! ctl "$1" info --json | grep -q "\"$2\""
}

# in_host NAMESPACE COMMAND...: runs a command in a network namespace.
in_host() {
    local host="$1"
    shift
    ip netns exec "$host" "$@"
}

# clock_offset NAME: milliseconds by which the guest's time of day is ahead of the host's.
clock_offset() {
    local before after there
    before=$(milliseconds "$(lodger clock)")
    there=$(milliseconds "$(guest "$1" lodger clock)")
    after=$(milliseconds "$(lodger clock)")
    echo $((there - (before + after) / 2))
}

# clock_kept NAME OFFSET WHEN: fails unless the guest's clock has the offset that it had, give or
# take a second.
clock_kept() {
    local now
    now=$(clock_offset "$1")
    [ $((now - $2)) -gt -1000 ] && [ $((now - $2)) -lt 1000 ] ||
        fail "the guest's clock is wrong $3: ahead by $now ms, and before by $2 ms"
}

# The time of day among what `lodger clock` printed.
milliseconds() {
    echo "$1" | sed 's/.*realtime_ms=\([0-9]*\).*/\1/'
}

# no_worries NAME: fails when Linux logged an error or a warning that is not expected.
no_worries() {
    guest "$1" dmesg -r | sed -n 's/^<[0-4]>//p' >"$RUN/$1.worries"
    grep -v -e '^#' -e '^$' /art/lab/expected-messages >"$RUN/expected"
    if grep -v -E -f "$RUN/expected" "$RUN/$1.worries" >"$RUN/$1.unexpected"; then
        fail "Linux worries: $(head -n 3 "$RUN/$1.unexpected")"
    fi
}

# few_faults NAME: fails when the only guest there is had to fault for the pages that came with it:
# the stamps alone are 4096. It may have touched others.
few_faults() {
    local count
    read -r count </sys/kernel/debug/kvm/pf_fixed
    echo "page faults after arrival: $count"
    [ "$count" -lt 2000 ] || fail "the guest of $1 had $count page faults after its arrival"
}

# five_moves MOVE: boots a guest, gives it all kinds of work, and moves it with MOVE from VMM to VMM.
five_moves() {
    local hop
    bridge
    tap tap0
    image disk ext4
    lodger serve 7000 >"$RUN/serve.log" &
    CPUS=2 start_guest v0 --disk "path=$RUN/disk" --net tap=tap0,mac=02:00:00:00:00:0a
    guest_network v0 10.0.0.10
    start_work v0 /dev/vda 10.0.0.1
    for hop in 1 2 3 4 5; do
        "$1" v$((hop - 1)) v$hop
        check_work v$hop
        few_faults v$hop
    done
    end_work v5
    no_worries v5
}
