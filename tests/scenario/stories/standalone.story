# A VMI without a VM: it ends once, stays to be looked at, and goes when told to.
apply-vmi a dedicated=1 cores=2
expect start a, resume a
phase a Running
claimed a yes
poweroff a
expect undefine a
phase a Succeeded
claimed a no
at 100
expect nothing
delete-vmi a
phase a none
apply-vmi b dedicated=1 cores=2
expect start b, resume b
delete-vmi b
expect shutdown b, undefine b
phase b none
claimed b no
