#include <libvirt/libvirt-qemu.h>

#include "runtime/hypervisor/connection.h"
#include "runtime/hypervisor/failure.h"

char *hypervisor_agent(struct hypervisor *hypervisor, const char *name, const char *command, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return NULL;
    char *answer = virDomainQemuAgentCommand(domain, command, LIMIT_AGENT_ANSWER_S, 0);
    if (!answer)
        failure_from_libvirt(err, "guest agent of domain %s", name);
    return answer;
}
