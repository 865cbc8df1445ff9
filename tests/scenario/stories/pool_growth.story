# 128 pages of 2 MiB are in the pool: what a VM wants beyond them is added before it starts and given back after it.
apply a strategy=Always realtime=1 cores=1 memory=512Mi
status a ErrorUnschedulable
pool 128
delete a
may-grow
apply a strategy=Always realtime=1 cores=1 memory=512Mi
status a Running
pool 256
apply b strategy=Always realtime=1 cores=1 memory=64Mi
status b Running
pool 288
restart a
status a Running
pool 288
crash a
status a Running
pool 288
stop a
status a Stopped
pool 160
kill
pool 160
# Its pages were counted beyond those of a, which are free now; but nothing is moved while it runs.
stop b
status b Stopped
pool 128
# There is not that much memory in one piece: told, and tried again.
apply c strategy=Always realtime=1 cores=1 memory=900Mi
condition c Synchronized False
pool 128
delete c
at 10
pool 128
# Another program takes what is free: that stays, until it lets go.
start a
pool 256
others-use 100
stop a
status a Stopped
pool 128
start a
pool 256
others-use 200
stop a
status a Stopped
pool 200
restart-daemon
pool 200
others-use 0
start b
status b Running
stop b
pool 128
# After a reboot nothing is owed.
start a
pool 256
reboot-host
at 100
status a Running
pool 256
delete a
delete b
pool 128
