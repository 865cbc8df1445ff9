# Six exclusive CPUs. What a changed VM needs at its next start is promised beside what it runs on.
apply a strategy=Always dedicated=1 cores=2
expect start a, resume a
apply a strategy=Always dedicated=1 cores=4
expect nothing
status a Running
apply b strategy=Always dedicated=1 cores=3
status b ErrorUnschedulable
restart a
expect shutdown a, undefine a, start a, resume a
status a Running
status b ErrorUnschedulable
# Smaller again: what it runs on stays its own until it lets go.
apply a strategy=Always dedicated=1 cores=2
status b ErrorUnschedulable
restart a
status a Running
status b Running
# It would find no place: it runs on as it is, and nothing is taken from others.
apply a strategy=Always dedicated=1 cores=6
status a Running
apply c strategy=Always dedicated=1 cores=1
status c Running
# Taken back: what was promised for it goes to who waits.
delete b
delete c
apply a strategy=Always dedicated=1 cores=5
apply b strategy=Always dedicated=1 cores=2
status b ErrorUnschedulable
apply a strategy=Always dedicated=1 cores=2
status b Running
status a Running
stop a
status a Stopped
claimed a no
apply c strategy=Always dedicated=1 cores=4
status c Running
