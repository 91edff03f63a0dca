"""`r2d2 completion`: a script that completes commands, flags and names of tables in a shell.

The scripts ask `r2d2 __complete`, which is Cyclopts' own, for all candidates: it takes the words of
the line, each ended by `\\x1f`, in a variable, and answers with a line for each candidate and
lines of its own that begin with `\\x1f`. Where it has none, the shell completes names of files.
Cyclopts' scripts would take a folder by the name of a command, such as `run`, for that command.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from r2d2.cli.terminal import print_text
from r2d2.errors import EXIT_OK
from r2d2.text_tables import with_folders

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

Shell = Literal["bash", "zsh", "fish"]
SCRIPTS = {
    "bash": r"""# bash completion of r2d2
_r2d2() {
    local program="${COMP_WORDS[0]/#\~/$HOME}" current="${COMP_WORDS[COMP_CWORD]}"
    local word words= line value prefix=
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        words+="${word//[\"\'\\]/}"$'\x1f'
    done
    COMPREPLY=()
    while IFS= read -r line; do
        case "$line" in
            $'\x1f'prefix*) [[ "$current" == --*=* ]] && prefix="${line#*$'\t'}" ;;
            $'\x1f'* | '') ;;
            *)
                printf -v value %q "${line%%$'\t'*}"
                COMPREPLY+=("$prefix$value")
                ;;
        esac
    done < <(CYCLOPTS_COMPLETION_WORDS="$words" "$program" __complete 2>/dev/null)
}
complete -o default -o bashdefault -F _r2d2 r2d2
""",
    "zsh": r"""#compdef r2d2
_r2d2() {
    local program="${(Q)words[1]/#\~/$HOME}" word joined= line value
    local -a described
    for word in "${(@)words[2,CURRENT]}"; do
        joined+="${(Q)word}"$'\x1f'
    done
    while IFS= read -r line; do
        case "$line" in
            ($'\x1f'prefix*) compset -P '*=' ;;
            ($'\x1f'*|'') ;;
            (*)
                value="${line%%$'\t'*}"
                described+=("${value//:/\\:}${${line#$value}/#$'\t'/:}")
                ;;
        esac
    done < <(CYCLOPTS_COMPLETION_WORDS="$joined" "$program" __complete 2>/dev/null)
    if (( $#described )); then
        _describe r2d2 described
    else
        _files
    fi
}
if [[ "$funcstack[1]" == _r2d2 ]]; then
    _r2d2 "$@"
else
    compdef _r2d2 r2d2
fi
""",
    "fish": r"""# fish completion of r2d2
function __r2d2_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l joined ''
    for word in $words[2..-1]
        set joined $joined$word\x1f
    end
    set -l prefix ''
    set -l found 0
    for line in (CYCLOPTS_COMPLETION_WORDS=$joined $words[1] __complete 2>/dev/null)
        switch $line
            case \x1f'prefix*'
                set prefix (string split -m 1 \t -- $line)[2]
            case \x1f'*' ''
            case '*'
                set found 1
                printf '%s\n' $prefix$line
        end
    end
    if test $found = 0
        __fish_complete_path (commandline -ct)
    end
end
complete -c r2d2 -f -a '(__r2d2_complete)'
""",
}
"""The script of each shell."""
RUN_NAMES = ("--run", "run", "--plan", "plan")
"""Arguments that lead to a run's folder, or to a file in it."""


def completion(
    shell: Annotated[Shell, Parameter(help="The shell that will read the script.")], /
) -> int:
    """Print a script by which TAB completes commands, flags and the tables of a run.

    Load it whenever a shell starts:

    bash: r2d2 completion bash > ~/.local/share/bash-completion/completions/r2d2

    zsh: r2d2 completion zsh > ~/.zfunc/_r2d2, a folder that ~/.zshrc names before
    it calls compinit: fpath+=~/.zfunc; autoload -Uz compinit; compinit

    fish: r2d2 completion fish > ~/.config/fish/completions/r2d2.fish
    """
    print_text(SCRIPTS[shell])
    return EXIT_OK


def tables_of_run(context: "CompletionContext") -> Iterable[str]:
    """The tables of the run that the line names so far, and their folders, as far as they fit."""
    begun = context.incomplete
    for name in RUN_NAMES:
        given = context.get(name)
        place = given.raw if given is not None else None
        if place:
            names = with_folders(_locations(Path(place)))
            return [each for each in names if each.startswith(begun) and each.isprintable()]
    return []


class _Located(msgspec.Struct):
    location: str


class _Tables(msgspec.Struct):
    tables: list[_Located] = []


def _locations(place: Path) -> list[str]:
    """The tables of the run in that folder, or beside that plan; none where there is no run."""
    place = place.expanduser()
    folder = place if place.is_dir() else place.parent
    with suppress(OSError, msgspec.MsgspecError, ValueError):
        content: Any = (folder / "graph.json").read_bytes()
        return [table.location for table in msgspec.json.decode(content, type=_Tables).tables]
    return []
