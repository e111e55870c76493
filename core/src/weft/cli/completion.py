"""``weft completion``: the completion script of a shell."""

from __future__ import annotations

import click

SHELLS = {
    "bash": 'eval "$(weft completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(weft completion zsh)" in ~/.zshrc',
    "fish": "weft completion fish > ~/.config/fish/completions/weft.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands and options.

    \b
    bash: eval "$(weft completion bash)" in ~/.bashrc
    zsh:  eval "$(weft completion zsh)" in ~/.zshrc
    fish: weft completion fish > ~/.config/fish/completions/weft.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(made(ctx.find_root().command, {}, "weft", "_WEFT_COMPLETE").source())
