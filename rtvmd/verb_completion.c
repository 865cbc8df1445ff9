/* Completion scripts, printed from the verb table: the words of each verb come from asking it (--help=words). */
#include <stdio.h>
#include <string.h>

#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"

static void print_words_of(const struct verb *verb)
{
    char words[] = "--help=words";
    char name[32];
    snprintf(name, sizeof name, "%s", verb->name);
    char *argv[] = {name, words, NULL};
    verb->run(2, argv);
    printf("--help");
}

/* Within single quotes, which both shells read alike. */
static void print_quoted(const char *text)
{
    for (; *text; text++)
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, stdout);
}

/* What a VM is called comes from the daemon, when one answers. */
static bool takes_names_of_vms(const struct verb *verb)
{
    return strncmp(verb->arguments, "NAME", 4) == 0;
}

static const char VM_NAMES[] = "rtvmd get vm -o name 2>/dev/null | sed 's|.*/||'";

static void print_bash(void)
{
    puts(
        "# bash completion for rtvmd: source <(rtvmd completion bash)\n"
        "_rtvmd() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words\n"
        "    case $previous in\n"
        "    -f|--file|--filename|--host|--config|--state-dir) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
        "    -o|--output) COMPREPLY=($(compgen -W 'json yaml wide name' -- \"$word\")); return ;;\n"
        "    esac\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("        words='");
    for (size_t i = 0; i < VERB_COUNT; i++)
        printf("%s ", VERBS[i].name);
    puts("--help'\n    else\n        case ${COMP_WORDS[1]} in");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        printf("        %s) words='", VERBS[i].name);
        print_words_of(&VERBS[i]);
        fputs("'", stdout);
        if (takes_names_of_vms(&VERBS[i]))
            printf("; [[ $word == -* ]] || words=$(%s)", VM_NAMES);
        puts(" ;;");
    }
    puts("        esac\n"
         "    fi\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "}\n"
         "complete -F _rtvmd rtvmd");
}

static void print_zsh(void)
{
    puts("#compdef rtvmd\n"
         "# zsh completion for rtvmd: rtvmd completion zsh > ~/.zfunc/_rtvmd\n"
         "_rtvmd() {\n"
         "    local -a verbs\n"
         "    verbs=(");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        printf("        '%s:", VERBS[i].name);
        print_quoted(VERBS[i].summary);
        puts("'");
    }
    puts("    )\n"
         "    if (( CURRENT == 2 )); then\n"
         "        _describe verb verbs\n"
         "        return\n"
         "    fi\n"
         "    case $words[CURRENT-1] in\n"
         "    -f|--file|--filename|--host|--config|--state-dir) _files; return ;;\n"
         "    -o|--output) compadd json yaml wide name; return ;;\n"
         "    esac\n"
         "    case $words[2] in");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        printf("    %s) ", VERBS[i].name);
        if (takes_names_of_vms(&VERBS[i]))
            printf("[[ $words[CURRENT] == -* ]] || compadd -- ${(f)\"$(%s)\"}; ", VM_NAMES);
        printf("compadd -- ");
        print_words_of(&VERBS[i]);
        puts(" ;;");
    }
    puts("    esac\n"
         "}\n"
         "_rtvmd \"$@\"");
}

int verb_completion(int argc, char **argv)
{
    struct error err;
    int positional;
    bool done;
    if (verb_options("completion", argc, argv, NULL, 0, &positional, &done, &err) < 0)
        return verb_fail("completion", &err);
    if (done)
        return 0;
    if (positional == 1 && strcmp(argv[0], "bash") == 0)
        print_bash();
    else if (positional == 1 && strcmp(argv[0], "zsh") == 0)
        print_zsh();
    else {
        fail(&err, ERROR_BAD_REQUEST, "say for which shell: rtvmd completion bash, or rtvmd completion zsh");
        return verb_fail("completion", &err);
    }
    return 0;
}
