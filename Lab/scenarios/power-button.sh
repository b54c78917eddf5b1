# The power button makes Linux shut down, also after a migration.
start_guest a
migrate_local a b
guest_check b 'mkdir -p /etc/acpi/PWRF && printf "#!/bin/sh\npoweroff -f\n" >/etc/acpi/PWRF/00000080 &&
    chmod +x /etc/acpi/PWRF/00000080 && acpid'
ctl b power-button
check "the VMM ended with an error" wait_end b
