# It starts, but its end is seen before it was ever called Running: that counts as a failed start.
fail prove 1 1000 internal
apply a strategy=Always
expect start a
phase a Scheduled
crash a
expect undefine a
status a CrashLoopBackOff
phase a none
at 9
expect nothing
status a CrashLoopBackOff
at 10
expect start a
crash a
mend prove
expect undefine a
at 49
expect nothing
at 50
expect start a, resume a
status a Running
crash a
expect undefine a, start a, resume a
