# An image that cannot be pulled: said, and tried again, later each time.
fail prepare 1 1000 unavailable
apply a strategy=Always
expect nothing
status a ErrImagePull
event a Pulling 1
event a Preparing 0
condition a Synchronized False
at 2
status a ImagePullBackOff|ErrImagePull
at 5
status a ImagePullBackOff|ErrImagePull
mend prepare
at 20
expect start a, resume a
status a Running
condition a Synchronized none
fail release 1 1000 internal
stop a
expect shutdown a, undefine a
phase a Succeeded
at 30
phase a Succeeded
mend release
at 100
phase a none
status a Stopped
