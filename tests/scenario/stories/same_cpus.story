# A VM that restarts keeps its place, though another is waiting for it.
apply a strategy=Always dedicated=1 cores=5
expect start a, resume a
apply b strategy=Always dedicated=1 cores=5
status b ErrorUnschedulable
restart a
expect shutdown a, undefine a, start a, resume a
crash a
expect undefine a, start a, resume a
status b ErrorUnschedulable
stop a
expect shutdown a, undefine a, start b, resume b
status a Stopped
