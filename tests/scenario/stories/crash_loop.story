# A VM that never gets up is tried again after 10, 40, 90, … seconds, with its place kept; once it runs, all is forgotten.
fail define 1 100 internal
apply a strategy=Always realtime=1 cores=2
phase a Scheduled
status a Starting
event a SyncFailed 1
condition a Synchronized False
at 1
event a SyncFailed 1
at 2
event a SyncFailed 2
at 1000
phase a Scheduled
claimed a yes
