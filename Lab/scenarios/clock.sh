# The guest's clock is right after a migration, and after a pause of a minute.
start_guest a
clocks_agree a "at first"
migrate_tcp a b
clocks_agree b "after a migration"
ctl b pause
sleep 60
ctl b resume
guest_check b true
clocks_agree b "after a pause of a minute"
migrate_local b c
clocks_agree c "after a local migration"
