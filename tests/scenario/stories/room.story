# Six exclusive CPUs: the third VM waits with every reason said, and gets its place when one leaves.
apply a strategy=Always dedicated=1 cores=3
apply b strategy=Always dedicated=1 cores=3
expect start a, resume a, start b, resume b
apply c strategy=Always dedicated=1 cores=2
expect nothing
phase c Scheduling
status c ErrorUnschedulable
condition c PodScheduled False
event c FailedScheduling 1
claimed c no
at 300
event c FailedScheduling 1
status c ErrorUnschedulable
stop b
expect shutdown b, undefine b, start c, resume c
status c Running
condition c PodScheduled none
status b Stopped
start b
status b ErrorUnschedulable
expect nothing
delete c
expect shutdown c, undefine c, start b, resume b
status b Running
