"""The Inspect provider `local/…`: real models on this machine, without a key."""

from inspect_ai.model import ModelAPI, modelapi


@modelapi(name="local")
def local() -> type[ModelAPI]:
    """A small model that runs in this process, as `local/NAME` or `local/PATH.gguf`.

    NAME is one of those that `thoughttrace fetch-model` lists; its weights are fetched at first use.
    See `thoughttrace.models.llamacpp.LocalAPI` for the arguments (`-M name=value`).
    """
    # Imported here: the provider is registered wherever Inspect runs, its runtime is an extra.
    from thoughttrace.models.llamacpp import LocalAPI  # noqa: PLC0415

    return LocalAPI
