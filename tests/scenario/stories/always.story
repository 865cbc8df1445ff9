# A VM that should always run is started, and started again however it ends.
apply a strategy=Always
expect start a, resume a
phase a Running
status a Running
claimed a yes
event a SuccessfulCreate 2
event a Started 1
poweroff a
expect undefine a, start a, resume a
phase a Running
at 10
crash a
expect undefine a, start a, resume a
phase a Running
claimed a yes
at 20
undefine a
expect start a, resume a
phase a Running
stop a
expect shutdown a, undefine a
phase a none
status a Stopped
claimed a no
start a
expect start a, resume a
status a Running
delete a
expect shutdown a, undefine a
status a none
phase a none
claimed a no
at 500
expect nothing
