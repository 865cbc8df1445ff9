# Somebody moves a thread: found on the next slow look, put back, said.
apply a strategy=Always realtime=1 cores=2
condition a RealtimeProven True
event a Drift 0
drift a repairable
at 120
event a Drift 1
condition a RealtimeProven True
drift a stubborn
at 240
condition a RealtimeProven False
status a Running
