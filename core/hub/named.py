"""From what a user calls a repository to the repository."""

import difflib

from core.errors import UsageError
from core.hub.listing import HubName, Kind, Repository
from core.hub.registry import REGISTRY, Entry


def named(name: str, hub: HubName, kind: Kind | None = None, revision: str | None = None) -> Repository:
    """The repository that `name` means: a name of the registry, or OWNER/NAME; a known one brings its own kind.

    Raises:
        UsageError: an unknown name, a set that this hub does not have, or a kind that nobody told.
    """
    entry = next((e for e in REGISTRY if name.lower() in _names(e)), None)
    if entry is None and "/" not in name:
        hint = did_you_mean(name, "`dr data list` shows the known names; any other repository is OWNER/NAME")
        raise UsageError(f"no repository is known by the name `{name}`", hint=hint)
    if entry is not None and "/" not in name:
        known = entry.on(hub)
        if known is None:
            hint = "if it is there under another name, give that one as OWNER/NAME; or leave out --hub"
            raise UsageError(f"we know no copy of `{name}` on {hub}", hint=hint)
        return Repository(hub, known, kind or entry.kind, revision)
    kind = kind or (entry.kind if entry else None)
    if kind is None:
        hint = did_you_mean(name, "--kind dataset, or --kind model")
        raise UsageError(f"is `{name}` a dataset or a model? it is not in the registry", hint=hint)
    return Repository(hub, name, kind, revision)


def did_you_mean(name: str, otherwise: str) -> str:
    """A hint with the known names nearest to `name`, or none of them, and `otherwise`."""
    ids = {e.huggingface.lower(): e.huggingface for e in REGISTRY if e.huggingface}
    known = ids if "/" in name else {e.name: e.name for e in REGISTRY}
    near = [n for n in known if name.lower() in n] or difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.75)
    close = [known[n] for n in near[:2] if known[n] != name]
    return f"did you mean {' or '.join(f'`{n}`' for n in close)}? {otherwise}" if close else otherwise


def _names(entry: Entry) -> set[str]:
    return {entry.name, *(i.lower() for i in (entry.huggingface, entry.modelscope) if i)}
