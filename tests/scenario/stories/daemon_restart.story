# The daemon stops, starts, is killed: running VMs are taken up again, never touched.
apply a strategy=Always realtime=1 cores=2
apply b strategy=Manual
start b
expect start a, resume a, start b, resume b
kill
restart-daemon
kill
at 120
expect nothing
status a Running
status b Running
condition a RealtimeProven True
pause b
restart-daemon
at 240
expect pause b
status b Paused
unpause b
expect resume b
status b Running
