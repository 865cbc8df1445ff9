# The host goes down under its VMs, and comes back.
apply a strategy=Always realtime=1 cores=2
apply b strategy=RerunOnFailure dedicated=1
apply c strategy=Manual
start c
expect start a, resume a, start b, resume b, start c, resume c
reboot-host
at 5
expect undefine a, undefine b, undefine c, start a, resume a, start b, resume b
status a Running
status b Running
phase c Failed
status c Stopped
condition a RealtimeProven True
