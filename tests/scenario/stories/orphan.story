# Deleting a VM may leave its VMI running; a VM of that name takes it over again.
apply a strategy=Always dedicated=1
expect start a, resume a
delete a orphan
status a none
phase a Running
claimed a yes
apply a strategy=Always dedicated=1
expect nothing
status a Running
delete-vmi a
expect shutdown a, undefine a, start a, resume a
status a Running
