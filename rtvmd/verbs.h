/* One function per verb; the rows are in main.c. */
#pragma once

int verb_completion(int argc, char **argv);
int verb_manual(int argc, char **argv);
int verb_image_unpack(int argc, char **argv); /* hidden: runtime/image/unpack.h */
int verb_host(int argc, char **argv);
int verb_render(int argc, char **argv);
int verb_version(int argc, char **argv);
int verb_plan(int argc, char **argv);
