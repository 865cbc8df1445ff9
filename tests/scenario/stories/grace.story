# A guest that does not hear the power button is asked every five seconds, then made to go.
apply a strategy=Always grace=12
expect start a, resume a
deaf a
stop a
expect shutdown a
status a Stopping
at 4
expect nothing
at 5
expect shutdown a
at 11
expect shutdown a
at 12
expect destroy a, undefine a
status a Stopped
start a
expect start a, resume a
deaf a
stop a
expect shutdown a
stop a grace=0
expect destroy a, undefine a
status a Stopped
start a
expect start a, resume a
hear a
restart a grace=0
expect shutdown a, undefine a, start a, resume a
status a Running
apply b strategy=Always grace=0
expect start b, resume b
delete b
expect destroy b, undefine b
status b none
