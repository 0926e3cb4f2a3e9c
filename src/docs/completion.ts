/** Completion for bash, from the commands themselves. */
import type { Command } from "commander";

/** A function for `complete -F`: commands, their options, files where a file is wanted, and the names of the running tunnels. */
export function bashCompletion(program: Command): string {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => command.name() !== "help");
  const cases = commands.map((command) => {
    const options = help.visibleOptions(command).flatMap(({ short, long }) => [short, long]);
    const words = options.filter((word) => word !== undefined).join(" ");
    const subject = help.visibleArguments(command)[0]?.name();
    return `    ${command.name()}) options="${words}"; subject=${subject === undefined ? "none" : subject} ;;`;
  });
  return `# bash completion for causeway                              -*- shell-script -*-

_causeway()
{
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} options subject
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "${commands.map((command) => command.name()).join(" ")} --help --version" -- "$current")
    return
  fi
  case "$before" in
    -c | --config | --socket | --suite | --secrets | --secrets-a | --secrets-b | --keys | --out)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) return ;;
  esac
  case "$current" in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
    *)
      case "$subject" in
        file) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        tunnel)
          mapfile -t COMPREPLY < <(
            compgen -W "$(causeway status --json 2>/dev/null | sed -n 's/^ \\{6\\}"name": "\\([A-Za-z0-9._-]*\\)",\\{0,1\\}$/\\1/p')" -- "$current"
          )
          ;;
      esac
      ;;
  esac
}

complete -o filenames -F _causeway causeway
`;
}
