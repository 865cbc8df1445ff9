/* One function per verb; the rows are in main.c. */
#pragma once

int verb_apply(int argc, char **argv);
int verb_create(int argc, char **argv);
int verb_get(int argc, char **argv);
int verb_describe(int argc, char **argv);
int verb_delete(int argc, char **argv);
int verb_wait(int argc, char **argv);
int verb_events(int argc, char **argv);
int verb_start(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_restart(int argc, char **argv);
int verb_pause(int argc, char **argv);
int verb_unpause(int argc, char **argv);
int verb_softreboot(int argc, char **argv);
int verb_reset(int argc, char **argv);
int verb_freeze(int argc, char **argv);
int verb_unfreeze(int argc, char **argv);
int verb_console(int argc, char **argv);
int verb_vnc(int argc, char **argv);
int verb_ssh(int argc, char **argv);
int verb_port_forward(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_export(int argc, char **argv);
int verb_verify(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_completion(int argc, char **argv);
int verb_manual(int argc, char **argv);
int verb_image(int argc, char **argv);
int verb_image_unpack(int argc, char **argv); /* hidden: runtime/image/unpack.h */
int verb_confined(int argc, char **argv);     /* hidden: runtime/image/qemu_img.h */
int verb_doctor(int argc, char **argv);
int verb_latency(int argc, char **argv);
int verb_tune(int argc, char **argv);
int verb_host(int argc, char **argv);
int verb_serve(int argc, char **argv);
int verb_render(int argc, char **argv);
int verb_kubeconfig(int argc, char **argv);
int verb_backup(int argc, char **argv);
int verb_restore(int argc, char **argv);
int verb_token(int argc, char **argv);
int verb_version(int argc, char **argv);
int verb_plan(int argc, char **argv);
