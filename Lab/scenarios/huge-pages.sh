# RAM in huge pages of 1 GiB, and a local migration with them.
grep -q pdpe1gb /proc/cpuinfo || fail "the outer machine has no pages of 1 GiB"
MEMORY=1G MEMORY_OPTIONS=,hugepages=on,hugepage_size=1G start_guest a
expect "free huge pages" 0 "$(cat /sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages)"
start_work a
migrate_local a b
check_work b
end_work b
