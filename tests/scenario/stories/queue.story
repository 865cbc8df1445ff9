# Who waits longer goes first, whatever its name.
apply big strategy=Always dedicated=1 cores=6
expect start big, resume big
apply zeta strategy=Always dedicated=1 cores=4
at 5
apply alpha strategy=Always dedicated=1 cores=4
at 10
status zeta ErrorUnschedulable
status alpha ErrorUnschedulable
delete big
expect shutdown big, undefine big, start zeta, resume zeta
status zeta Running
status alpha ErrorUnschedulable
