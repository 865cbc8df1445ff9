# What each run strategy makes of a start, of a clean end and of a crash.
apply halted strategy=Halted
apply manual strategy=Manual
apply rerun strategy=RerunOnFailure
apply once strategy=Once
expect start rerun, resume rerun, start once, resume once
status halted Stopped
status manual Stopped
status rerun Running
status once Running
start manual
expect start manual, resume manual
status manual Running
stop halted refused
restart halted refused
start once refused
restart once refused
start rerun refused
poweroff manual
poweroff rerun
poweroff once
expect undefine manual, undefine rerun, undefine once
phase manual Succeeded
phase rerun none
phase once Succeeded
status rerun Stopped
status once Stopped
claimed manual no
claimed once no
start manual
start rerun
expect start manual, resume manual, start rerun, resume rerun
crash manual
crash rerun
expect undefine manual, undefine rerun, start rerun, resume rerun
phase manual Failed
status rerun Running
stop rerun
expect shutdown rerun, undefine rerun
status rerun Stopped
claimed rerun no
start halted
expect start halted, resume halted
status halted Running
stop halted
expect shutdown halted, undefine halted
status halted Stopped
