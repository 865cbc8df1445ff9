# An image that cannot be pulled: said, and tried again, later each time.
told-once
fail prepare 1 3 unavailable
apply a strategy=Always
expect nothing
status a ErrImagePull
event a Pulling 1
event a Preparing 0
condition a Synchronized False
at 2
status a ImagePullBackOff
at 5
status a ImagePullBackOff
at 20
expect start a, resume a
status a Running
condition a Synchronized none
fail release 1 2 internal
stop a
expect shutdown a, undefine a
phase a Succeeded
at 60
phase a none
status a Stopped
