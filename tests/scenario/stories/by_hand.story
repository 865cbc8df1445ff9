# Somebody with virsh.
apply a strategy=Always
apply b strategy=Manual
start b
expect start a, resume a, start b, resume b
destroy a
expect undefine a, start a, resume a
io-error a
status a Paused
condition a Paused True
restart a
expect shutdown a, undefine a, start a, resume a
destroy b
expect undefine b
phase b Failed
panic a
expect destroy a, undefine a, start a, resume a
status a Running
