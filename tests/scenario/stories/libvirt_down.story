# Without libvirt nothing is concluded and nothing is done; afterwards the world is looked at as it is.
apply a strategy=Always
apply b strategy=Always
expect start a, resume a, start b, resume b
libvirt down
at 60
crash a
stop b
expect nothing
phase a Running
status b Stopping
at 90
expect nothing
libvirt up
at 200
status a Running
status b Stopped
phase b none
event a Stopped 1
