apply a strategy=Always startPaused=1
expect start a
status a Paused
unpause a
expect resume a
status a Running
unpause a refused
pause a
pause a refused
expect pause a
status a Paused
condition a Ready False
softreboot a refused
unpause a
reset a
softreboot a
expect resume a, reset a, reboot a
freeze a refused
agent a
condition a AgentConnected True
freeze a
expect freeze a
apply b strategy=Halted
start b paused
expect start b
status b Paused
phase b Running
