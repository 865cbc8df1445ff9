/* One function per verb; the rows are in main.c. */
#pragma once

int verb_version(int argc, char **argv);
