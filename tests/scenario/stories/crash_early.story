# It starts, but its end is seen before it was ever called Running: that counts as a failed start.
told-once
fail prove 1 1 internal
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
fail prove 1 1 internal
at 10
expect start a
crash a
expect undefine a
at 49
expect nothing
at 50
expect start a, resume a
status a Running
crash a
expect undefine a, start a, resume a
